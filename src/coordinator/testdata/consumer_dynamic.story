topic name=t partitions=4
consumer_settings assignment_interval_ms=0

# One member gets all.
beat member=a topics=t

describe_consumer

# Nothing changed: nothing is written.
beat member=a epoch=2 owned=1:0+1+2+3

# Another one comes: it waits until the first one has given up its part.
beat member=b topics=t

beat member=a epoch=2

beat member=a epoch=2 owned=1:0+1+2+3

beat member=b epoch=3

describe_consumer

beat member=a epoch=2 owned=1:0+1

beat member=b epoch=3

describe_consumer

# The answer was lost: the member comes with its previous epoch and a part of what it owns.
beat member=a epoch=2 owned=1:0+1

beat member=a epoch=2

beat member=a epoch=2 owned=1:2

beat member=a epoch=9

# It subscribes to something else, and has nothing until the other topic is there.
beat member=a epoch=3 topics=u owned=1:0+1

beat member=a epoch=3 owned=-

beat member=b epoch=3

topic name=u partitions=2

beat member=a epoch=4

beat member=b epoch=4

# More partitions.
topic name=t partitions=6 id=1

beat member=b epoch=5

# The topic goes.
drop_topic name=u

beat member=a epoch=5

beat member=a epoch=5 owned=-

list

# One leaves, the other one does not come back.
beat member=a epoch=-1

beat member=b epoch=8

wait ms=45000

list

describe_consumer

delete group=g

list
