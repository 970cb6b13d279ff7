"""Count and measure nuclei in stained tissue: cut a picture into tiles, measure each, join them."""
