topic name=t partitions=4
consumer_settings assignment_interval_ms=0
settings initial_delay_ms=0

# Two consumers of the classic protocol.
join as=1 client=a protocols=range:t,x:t v=3

join as=2 client=b protocols=range:t v=3

wait ms=0

sync as=3 member=a#1 generation=1 assignments=a#1:,b#2:

sync as=4 member=b#2 generation=1

# One of the new protocol comes, and the group becomes one of it.
beat member=n topics=t

describe_consumer

heartbeat member=a#1 generation=1

sync as=5 member=a#1 generation=1

join as=6 client=a member=a#1 protocols=range:t,x:t v=3

sync as=7 member=a#1 generation=2

heartbeat member=a#1 generation=2

describe

# The other one does not join again.
heartbeat member=b#2 generation=1

wait ms=60000

describe_consumer
