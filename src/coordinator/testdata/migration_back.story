topic name=t partitions=2
consumer_settings assignment_interval_ms=0

# A consumer of the classic protocol comes to a group of the consumer protocol.
beat member=n topics=t

join as=1 member=x client=x protocols=range:t,y:t type=other

join as=2 member=x client=x protocols=

join as=3 member=x client=x protocols=range:t,y:t

sync as=4 member=x generation=3

heartbeat member=x generation=3

heartbeat member=n generation=2

# It waits for what the other one has to give up.
beat member=n epoch=2 owned=1:0+1

heartbeat member=x generation=3

beat member=n epoch=2 owned=1:0

heartbeat member=x generation=3

join as=5 member=x client=x protocols=range:t,y:t

sync as=6 member=x generation=3 type=consumer protocol=range

describe_consumer

# The last one of the consumer protocol leaves: the group is a classic one and rebalances.
beat member=n epoch=-1

describe

describe_consumer

join as=7 member=x client=x protocols=range:t,y:t

sync as=8 member=x generation=5 assignments=x:A

describe

wait ms=5000

list

# All leave, and the group becomes one of the consumer protocol again.
leave members=x

beat member=m topics=t

beat member=m epoch=-1

# An empty one becomes a classic one, too.
join as=9 client=z protocols=range:t v=3

wait ms=3000
