topic name=ta partitions=2
topic name=tb partitions=2
topic name=other partitions=2
consumer_settings assignment_interval_ms=0

beat member=a regex=t.*

beat member=b regex=t.*

# A new topic is found, but not at once.
topic name=tc partitions=1

beat member=a epoch=2 owned=1:0+1

wait ms=10001

beat member=a epoch=3 owned=1:0+1

beat member=b epoch=3

# A topic that does not match changes nothing.
topic name=another partitions=1

wait ms=10001

beat member=a epoch=4 owned=1:0+1

# Names as well.
beat member=b epoch=4 topics=other

beat member=a epoch=5 regex=o.*

wait ms=10001

beat member=a epoch=5

# Nobody subscribes to the first one any more.
beat member=b epoch=5 regex= owned=-

beat member=a epoch=6 owned=-

wait ms=1000

beat member=b epoch=-1

beat member=a epoch=-1
