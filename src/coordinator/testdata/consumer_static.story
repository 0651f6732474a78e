topic name=t partitions=4
topic name=u partitions=2
consumer_settings assignment_interval_ms=0

beat member=a instance=i topics=t

beat member=b instance=j topics=t

# The instance id is taken.
beat member=c instance=i topics=t

beat member=c instance=i epoch=2

beat member=c instance=k epoch=2

beat member=a epoch=2 instance=i owned=1:0+1

beat member=b epoch=3 instance=j

# It goes, to come back with another id: nothing moves.
beat member=a epoch=-2 instance=i

describe_consumer

beat member=b epoch=3 instance=j

beat member=c instance=i topics=t

describe_consumer

beat member=a epoch=3 instance=i

# It comes back and wants something else.
beat member=c epoch=-2 instance=i

beat member=d instance=i topics=t,u

beat member=b epoch=3 instance=j

# It goes and does not come back.
beat member=d epoch=-2 instance=i

wait ms=44000

beat member=b epoch=4 instance=j

wait ms=1000

beat member=b epoch=4 instance=j

beat member=b epoch=-1 instance=j
