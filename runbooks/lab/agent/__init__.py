"""The lab's agent: does to XFRM exactly what cilium-agent does.

It stands in for cilium-agent in the parts that IPsec needs, the mistakes
included: it never replaces a state that is already there, forgets a peer whose
entry disappears, and learns it again with fresh states.
"""
