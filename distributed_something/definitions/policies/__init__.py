"""The policy documents of roles, people and buckets: each allows what is used, and no more.

Where an ARN cannot narrow an action, a tag of ours does; where AWS offers neither, it is `*`:
https://docs.aws.amazon.com/service-authorization/latest/reference/reference.html
"""
