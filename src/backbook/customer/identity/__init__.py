"""One customer across systems: found, kept, and taken apart again when wrong.

- `identify.identify` gives the identity of a day, `people.people` reads it for whoever asks by customer;
- `acts` is what a person may do about it.

Nothing is imported here: comparing brings libraries that reading who is who does not need.
"""
