"""Delete single stale XFRM states, where a rotation is not allowed."""
