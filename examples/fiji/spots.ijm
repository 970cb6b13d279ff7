// Count the bright spots of an image, in ImageJ's macro language.
// Arguments: image='name', threshold='grey value', smallest='pixels'.
arguments = getArgument();

function value(name) {
    from = indexOf(arguments, name + "='");
    if (from < 0) exit("The argument " + name + " is missing.");
    from = from + lengthOf(name) + 2;
    return substring(arguments, from, indexOf(arguments, "'", from));
}

// Preferences outlive a start of ImageJ; a job must not find those of another.
before = call("ij.Prefs.get", "spots.last", "none");
call("ij.Prefs.set", "spots.last", value("image"));
call("ij.Prefs.savePreferences");

folder = getDirectory("current");
open(folder + "input/" + value("image") + ".tif");
setThreshold(parseInt(value("threshold")), 255);
run("Analyze Particles...", "size=" + value("smallest") + "-Infinity show=Nothing clear");
File.saveString("image,spots,last\n" + value("image") + "," + nResults + "," + before + "\n",
    folder + "output/" + value("image") + ".csv");
