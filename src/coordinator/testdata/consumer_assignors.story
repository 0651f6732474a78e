# What assigns is what most members want, else the broker's first; the group's epoch rises when that changes.
topic name=t partitions=4
----

consumer_settings assignment_interval_ms=1000
----

beat member=a topics=t
----
a epoch=2 interval=5000 assignment=1:0+1+2+3
record g member a client=c host=/127.0.0.1 topics=t rebalance=60000 regex=""
record g epoch 2 hash=-954534464913970981
record g target of a 1:0+1+2+3
record g target 2 at=1000000
record g current of a epoch=2 previous=0 state=0 assigned=1:0@2+1@2+2@2+3@2 revoking=-
timer g Session("a") at 45s

# A wish for what assigns already: nothing new.
beat member=a epoch=2 assignor=uniform
----
a epoch=2 interval=5000
record g member a client=c host=/127.0.0.1 topics=t rebalance=60000 regex="" assignor="uniform"

# For another one: a new epoch, whose target waits for the interval.
beat member=a epoch=2 assignor=range
----
a epoch=2 interval=5000
record g member a client=c host=/127.0.0.1 topics=t rebalance=60000 regex="" assignor="range"
record g epoch 3 hash=-954534464913970981

beat member=a epoch=2
----
a epoch=2 interval=5000

describe_consumer
----
Assigning epoch=3 assignment_epoch=2 assignor=range
  member a epoch=2 client=c host=/127.0.0.1 topics=t regex="" instance="" rack="" assigned=1:0+1+2+3 target=1:0+1+2+3

wait ms=1000
----

beat member=a epoch=2
----
a epoch=3 interval=5000
record g target 3 at=1001000
record g current of a epoch=3 previous=2 state=0 assigned=1:0@2+1@2+2@2+3@2 revoking=-
timer g Session("a") at 46s

consumer_settings assignment_interval_ms=0
----

beat member=b topics=t assignor=range
----
b epoch=4 interval=5000 assignment=-
record g member b client=c host=/127.0.0.1 topics=t rebalance=60000 regex="" assignor="range"
record g epoch 4 hash=-954534464913970981
record g target of a 1:0+1
record g target of b 1:2+3
record g target 4 at=1001000
record g current of b epoch=4 previous=0 state=2 assigned=- revoking=-
timer g Session("b") at 46s

beat member=a epoch=3
----
a epoch=3 interval=5000 assignment=1:0+1
record g current of a epoch=3 previous=3 state=1 assigned=1:0@2+1@2 revoking=1:2@2+3@2
timer g Rebalance("a") at 61s

beat member=a epoch=3 owned=1:0+1
----
a epoch=4 interval=5000
record g current of a epoch=4 previous=3 state=0 assigned=1:0@2+1@2 revoking=-
no timer g Rebalance("a")

beat member=b epoch=4
----
b epoch=4 interval=5000 assignment=1:2+3
record g current of b epoch=4 previous=4 state=0 assigned=1:2@4+3@4 revoking=-

# One vote each: the group prefers uniform,
beat member=b epoch=4 assignor=uniform
----
b epoch=5 interval=5000
record g member b client=c host=/127.0.0.1 topics=t rebalance=60000 regex="" assignor="uniform"
record g epoch 5 hash=-954534464913970981
record g target 5 at=1001000
record g current of b epoch=5 previous=4 state=0 assigned=1:2@4+3@4 revoking=-

describe_consumer
----
Reconciling epoch=5 assignment_epoch=5 assignor=uniform
  member a epoch=4 client=c host=/127.0.0.1 topics=t regex="" instance="" rack="" assigned=1:0+1 target=1:0+1
  member b epoch=5 client=c host=/127.0.0.1 topics=t regex="" instance="" rack="" assigned=1:2+3 target=1:2+3

beat member=b epoch=5
----
b epoch=5 interval=5000

# and the one who wants range is assigned by it, with a new epoch at each heartbeat.
beat member=a epoch=4
----
a epoch=6 interval=5000
record g epoch 6 hash=-954534464913970981
record g target 6 at=1001000
record g current of a epoch=6 previous=4 state=0 assigned=1:0@2+1@2 revoking=-

beat member=a epoch=6
----
a epoch=7 interval=5000
record g epoch 7 hash=-954534464913970981
record g target 7 at=1001000
record g current of a epoch=7 previous=6 state=0 assigned=1:0@2+1@2 revoking=-

beat member=b epoch=5
----
b epoch=7 interval=5000
record g current of b epoch=7 previous=5 state=0 assigned=1:2@4+3@4 revoking=-

beat member=b epoch=7
----
b epoch=7 interval=5000

# It ends with the third vote,
beat member=c topics=t assignor=uniform
----
c epoch=8 interval=5000 assignment=-
record g member c client=c host=/127.0.0.1 topics=t rebalance=60000 regex="" assignor="uniform"
record g epoch 8 hash=-954534464913970981
record g target of b 1:2
record g target of c 1:3
record g target 8 at=1001000
record g current of c epoch=8 previous=0 state=2 assigned=- revoking=-
timer g Session("c") at 46s

beat member=a epoch=7
----
a epoch=8 interval=5000
record g current of a epoch=8 previous=7 state=0 assigned=1:0@2+1@2 revoking=-

beat member=a epoch=8
----
a epoch=8 interval=5000

# and does not come back with two each: the group prefers uniform, whichever member asks.
beat member=d topics=t assignor=range
----
d epoch=9 interval=5000 assignment=-
record g member d client=c host=/127.0.0.1 topics=t rebalance=60000 regex="" assignor="range"
record g epoch 9 hash=-954534464913970981
record g target of a 1:0
record g target of d 1:1
record g target 9 at=1001000
record g current of d epoch=9 previous=0 state=2 assigned=- revoking=-
timer g Session("d") at 46s

beat member=a epoch=8
----
a epoch=8 interval=5000 assignment=1:0
record g current of a epoch=8 previous=8 state=1 assigned=1:0@2 revoking=1:1@2
timer g Rebalance("a") at 61s

beat member=a epoch=8 owned=1:0
----
a epoch=9 interval=5000
record g current of a epoch=9 previous=8 state=0 assigned=1:0@2 revoking=-
no timer g Rebalance("a")

# A member that changes sides makes a majority.
beat member=b epoch=7 assignor=range
----
b epoch=7 interval=5000 assignment=-
record g member b client=c host=/127.0.0.1 topics=t rebalance=60000 regex="" assignor="range"
record g epoch 10 hash=-954534464913970981
record g target of b 1:1
record g target of c 1:2
record g target of d 1:3
record g target 10 at=1001000
record g current of b epoch=7 previous=7 state=1 assigned=- revoking=1:2@4+3@4
timer g Rebalance("b") at 61s

describe_consumer
----
Reconciling epoch=10 assignment_epoch=10 assignor=range
  member a epoch=9 client=c host=/127.0.0.1 topics=t regex="" instance="" rack="" assigned=1:0 target=1:0
  member b epoch=7 client=c host=/127.0.0.1 topics=t regex="" instance="" rack="" assigned=1:2+3 target=1:1
  member c epoch=8 client=c host=/127.0.0.1 topics=t regex="" instance="" rack="" assigned=- target=1:2
  member d epoch=9 client=c host=/127.0.0.1 topics=t regex="" instance="" rack="" assigned=- target=1:3

# A static member that comes back keeps its vote, and has another one if it says so.
beat member=e topics=t instance=i assignor=uniform
----
e epoch=11 interval=5000 assignment=-
record g member e client=c host=/127.0.0.1 topics=t rebalance=60000 instance="i" regex="" assignor="uniform"
record g epoch 11 hash=-954534464913970981
record g target of a 1:1
record g target of b 1:2
record g target of c 1:3
record g target of d -
record g target of e 1:0
record g target 11 at=1001000
record g current of e epoch=11 previous=0 state=2 assigned=- revoking=-
timer g Session("e") at 46s

beat member=e epoch=-2 instance=i
----
e epoch=-2 interval=0
record g current of e epoch=-2 previous=0 state=2 assigned=- revoking=-

beat member=f topics=t instance=i
----
f epoch=11 interval=5000 assignment=-
tombstone g current of e
tombstone g target of e
tombstone g member e
record g member f client=c host=/127.0.0.1 topics=t rebalance=60000 instance="i" regex="" assignor="uniform"
record g target of f 1:0
record g current of f epoch=0 previous=0 state=2 assigned=- revoking=-
record g current of f epoch=11 previous=0 state=2 assigned=- revoking=-
no timer g Session("e")
timer g Session("f") at 46s

beat member=f epoch=-2 instance=i
----
f epoch=-2 interval=0
record g current of f epoch=-2 previous=0 state=2 assigned=- revoking=-

beat member=g topics=t instance=i assignor=range
----
g epoch=11 interval=5000 assignment=-
tombstone g current of f
tombstone g target of f
tombstone g member f
record g member g client=c host=/127.0.0.1 topics=t rebalance=60000 instance="i" regex="" assignor="uniform"
record g target of g 1:0
record g current of g epoch=0 previous=0 state=2 assigned=- revoking=-
record g member g client=c host=/127.0.0.1 topics=t rebalance=60000 instance="i" regex="" assignor="range"
record g current of g epoch=11 previous=0 state=2 assigned=- revoking=-
no timer g Session("f")
timer g Session("g") at 46s

# A member that leaves takes its vote along; the epoch rises anyway.
beat member=c epoch=-1
----
c epoch=-1 interval=0
tombstone g current of c
tombstone g target of c
tombstone g member c
record g epoch 12 hash=-954534464913970981
no timer g Session("c")

# A member of the classic protocol has no vote.
join as=1 member=h protocols=range:t
----
record g member h client=c host=/127.0.0.1 topics=t rebalance=60000 regex="" classic session=10000 protocols=range:[t]
record g epoch 13 hash=-954534464913970981
record g target of d 1:3
record g target of h -
record g target 13 at=1001000
record g current of h epoch=13 previous=0 state=0 assigned=- revoking=-
reply to 1: join None member=h generation=13 type=consumer protocol=range leader=
timer g Session("h") at 11s
timer g Sync("h") at 61s

describe_consumer
----
Reconciling epoch=13 assignment_epoch=13 assignor=range
  member a epoch=9 client=c host=/127.0.0.1 topics=t regex="" instance="" rack="" assigned=1:0 target=1:1
  member b epoch=7 client=c host=/127.0.0.1 topics=t regex="" instance="" rack="" assigned=1:2+3 target=1:2
  member d epoch=9 client=c host=/127.0.0.1 topics=t regex="" instance="" rack="" assigned=- target=1:3
  member g epoch=11 client=c host=/127.0.0.1 topics=t regex="" instance="i" rack="" assigned=- target=1:0
  member h epoch=13 client=c host=/127.0.0.1 topics=t regex="" instance="" rack="" assigned=- target=- classic
