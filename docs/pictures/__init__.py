"""The site's pictures: what they show, and the code that draws it."""
