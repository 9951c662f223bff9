"""The simulated gateway: a server of its own that speaks the TWS text protocol on the loopback address.

``process`` starts and stops it, ``settings`` says with what, ``running`` puts it together inside an event
loop. ``wire`` reads and writes messages, ``service`` carries them and injects faults, ``orders`` keeps and
matches orders, ``account`` what comes of them, ``market`` prices and time, ``instruments`` what there is
to trade. ``broker`` joins them, and ``journal`` keeps what must survive a kill.
"""
