topic name=t partitions=4
consumer_settings assignment_interval_ms=0
settings consumer_max_size=2

beat topics=t

beat member=a topics=t group=

beat member=a

beat member=a topics=t rebalance=-1

beat member=a topics=t owned=1:0

beat member=a topics=t assignor=best

beat member=a epoch=-2

beat member=a epoch=-3

beat member=a epoch=1

beat member=a epoch=-1

beat member=a regex=a(

beat member=a topics=t assignor=range rack=r

beat member=b topics=t epoch=1

beat member=b topics=t

beat member=c topics=t

beat member=a epoch=2 instance=i

# Who is slow to give up partitions is removed.
beat member=a epoch=2

wait ms=30000

beat member=a epoch=2

beat member=b epoch=3

wait ms=30000

beat member=a epoch=2

beat member=b epoch=3

describe_consumer

restart

describe_consumer

beat member=b epoch=4 owned=1:0+1+2+3 topics=t rebalance=5000
