"""A made-up container of an agent, in which the scripts are run."""

from runbooks.collect.agent_exec import _PART

#: The node's own address.
ADDRESS = "10.0.1.10"

POLICIES = """\
src 0.0.0.0/0 dst 10.0.2.0/24 uid 0
\tdir out priority 0
\tmark 0x23e00/0xffffff00
\ttmpl src 10.0.1.10 dst 10.0.2.10
\t\tproto esp spi 0x00000003 reqid 1 mode tunnel
src 0.0.0.0/0 dst 10.0.3.0/24
\tdir out priority 0 ptype main
\tmark -2147271168/0xffffff00
\ttmpl src 10.0.1.10 dst 10.0.3.10
\t\tproto esp spi 0x00000003(3) reqid 1(0x00000001) mode tunnel
src 0.0.0.0/0 dst 0.0.0.0/0
\tdir out action block priority 100
\tmark 0xe00/0xf00
src 0.0.0.0/0 dst 0.0.0.0/0
\tdir fwd priority 2975
\ttmpl src 0.0.0.0 dst 10.0.1.10
\t\tproto esp reqid 1 mode tunnel
\t\tlevel use
src ::/0 dst ::/0
\tsocket in priority 0
src 192.0.2.1/32 dst 192.0.2.2/32 proto tcp
\tdir in priority 7
\ttmpl src 0.0.0.0 dst 0.0.0.0
\t\tproto comp reqid 2 mode transport
\ttmpl src 192.0.2.3 dst 192.0.2.4
\t\tproto esp reqid 3 mode transport
"""


def parts(done):
    return {
        m["name"]: m["text"] for m in _PART.finditer(done.stdout) if m["status"] == "0"
    }
