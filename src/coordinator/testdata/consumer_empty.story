# When the last members go, the group's target gets the group's epoch and the time 0: no interval delays the next one.
topic name=t partitions=2
----

consumer_settings assignment_interval_ms=10000
----

beat member=a topics=t
----
a epoch=2 interval=5000 assignment=1:0+1
record g member a client=c host=/127.0.0.1 topics=t rebalance=60000 regex=""
record g epoch 2 hash=129981052098570288
record g target of a 1:0+1
record g target 2 at=1000000
record g current of a epoch=2 previous=0 state=0 assigned=1:0@2+1@2 revoking=-
timer g Session("a") at 45s

# The second one waits for its target,
beat member=b topics=t
----
b epoch=2 interval=5000 assignment=-
record g member b client=c host=/127.0.0.1 topics=t rebalance=60000 regex=""
record g epoch 3 hash=129981052098570288
record g current of b epoch=2 previous=0 state=0 assigned=- revoking=-
timer g Session("b") at 45s

beat member=a epoch=-1
----
a epoch=-1 interval=0
tombstone g current of a
tombstone g target of a
tombstone g member a
record g epoch 4 hash=129981052098570288
no timer g Session("a")

describe_consumer
----
Assigning epoch=4 assignment_epoch=2 assignor=uniform
  member b epoch=2 client=c host=/127.0.0.1 topics=t regex="" instance="" rack="" assigned=- target=-

beat member=b epoch=-1
----
b epoch=-1 interval=0
tombstone g current of b
tombstone g target of b
tombstone g member b
record g epoch 5 hash=0
record g target 5 at=0
no timer g Session("b")

describe_consumer
----
Empty epoch=5 assignment_epoch=5 assignor=uniform

# and the third one does not, though the interval is not over.
wait ms=1
----

beat member=c topics=t
----
c epoch=6 interval=5000 assignment=1:0+1
record g member c client=c host=/127.0.0.1 topics=t rebalance=60000 regex=""
record g epoch 6 hash=129981052098570288
record g target of c 1:0+1
record g target 6 at=1000001
record g current of c epoch=6 previous=0 state=0 assigned=1:0@6+1@6 revoking=-
timer g Session("c") at 45.001s

# The same when a session ends,
wait ms=60000
----
tombstone g current of c
tombstone g target of c
tombstone g member c
record g epoch 7 hash=0
record g target 7 at=0
no timer g Session("c")

describe_consumer
----
Empty epoch=7 assignment_epoch=7 assignor=uniform

beat member=d topics=t
----
d epoch=8 interval=5000 assignment=1:0+1
record g member d client=c host=/127.0.0.1 topics=t rebalance=60000 regex=""
record g epoch 8 hash=129981052098570288
record g target of d 1:0+1
record g target 8 at=1060001
record g current of d epoch=8 previous=0 state=0 assigned=1:0@8+1@8 revoking=-
timer g Session("d") at 105.001s

# or when an administrator removes all members at once, one of them of the classic protocol,
beat group=h member=y instance=y topics=t
----
y epoch=2 interval=5000 assignment=1:0+1
record h member y client=c host=/127.0.0.1 topics=t rebalance=60000 instance="y" regex=""
record h epoch 2 hash=129981052098570288
record h target of y 1:0+1
record h target 2 at=1060001
record h current of y epoch=2 previous=0 state=0 assigned=1:0@2+1@2 revoking=-
timer h Session("y") at 105.001s

join as=1 group=h member=x protocols=range:t
----
record h member x client=c host=/127.0.0.1 topics=t rebalance=60000 regex="" classic session=10000 protocols=range:[t]
record h epoch 3 hash=129981052098570288
record h current of x epoch=2 previous=0 state=0 assigned=- revoking=-
reply to 1: join None member=x generation=2 type=consumer protocol=range leader=
timer h Session("x") at 70.001s
timer h Sync("x") at 120.001s

leave group=h members=x,-/y
----
Ok([None, None])
tombstone h current of x
tombstone h target of x
tombstone h member x
tombstone h current of y
tombstone h target of y
tombstone h member y
record h epoch 4 hash=0
record h target 4 at=0
no timer h Session("x")
no timer h Session("y")
no timer h Sync("x")

describe_consumer group=h
----
Empty epoch=4 assignment_epoch=4 assignor=uniform

# or of the classic protocol alone.
beat group=j member=y instance=y topics=t
----
y epoch=2 interval=5000 assignment=1:0+1
record j member y client=c host=/127.0.0.1 topics=t rebalance=60000 instance="y" regex=""
record j epoch 2 hash=129981052098570288
record j target of y 1:0+1
record j target 2 at=1060001
record j current of y epoch=2 previous=0 state=0 assigned=1:0@2+1@2 revoking=-
timer j Session("y") at 105.001s

join as=2 group=j member=x protocols=range:t
----
record j member x client=c host=/127.0.0.1 topics=t rebalance=60000 regex="" classic session=10000 protocols=range:[t]
record j epoch 3 hash=129981052098570288
record j current of x epoch=2 previous=0 state=0 assigned=- revoking=-
reply to 2: join None member=x generation=2 type=consumer protocol=range leader=
timer j Session("x") at 70.001s
timer j Sync("x") at 120.001s

consumer_settings assignment_interval_ms=10000 migration=upgrade
----

beat group=j member=y instance=y epoch=-1
----
y epoch=-1 interval=0
tombstone j current of y
tombstone j target of y
tombstone j member y
record j epoch 4 hash=129981052098570288
no timer j Session("y")

describe_consumer group=j
----
Assigning epoch=4 assignment_epoch=2 assignor=uniform
  member x epoch=2 client=c host=/127.0.0.1 topics=t regex="" instance="" rack="" assigned=- target=- classic

leave group=j members=x
----
Ok([None])
tombstone j current of x
tombstone j target of x
tombstone j member x
record j epoch 5 hash=0
record j target 5 at=0
no timer j Session("x")
no timer j Sync("x")

describe_consumer group=j
----
Empty epoch=5 assignment_epoch=5 assignor=uniform

# A group of a log in which it has no members.
restart
----

describe_consumer
----
Stable epoch=8 assignment_epoch=8 assignor=uniform
  member d epoch=8 client=c host=/127.0.0.1 topics=t regex="" instance="" rack="" assigned=1:0+1 target=1:0+1

beat member=d epoch=-1
----
d epoch=-1 interval=0
tombstone g current of d
tombstone g target of d
tombstone g member d
record g epoch 9 hash=0
record g target 9 at=0
no timer g Session("d")

restart
----

beat member=e topics=t
----
e epoch=10 interval=5000 assignment=1:0+1
record g member e client=c host=/127.0.0.1 topics=t rebalance=60000 regex=""
record g epoch 10 hash=129981052098570288
record g target of e 1:0+1
record g target 10 at=1060001
record g current of e epoch=10 previous=0 state=0 assigned=1:0@10+1@10 revoking=-
timer g Session("e") at 105.001s

# A static member that is away is still a member.
beat member=e epoch=-1
----
e epoch=-1 interval=0
tombstone g current of e
tombstone g target of e
tombstone g member e
record g epoch 11 hash=0
record g target 11 at=0
no timer g Session("e")

beat member=s instance=s topics=t
----
s epoch=12 interval=5000 assignment=1:0+1
record g member s client=c host=/127.0.0.1 topics=t rebalance=60000 instance="s" regex=""
record g epoch 12 hash=129981052098570288
record g target of s 1:0+1
record g target 12 at=1060001
record g current of s epoch=12 previous=0 state=0 assigned=1:0@12+1@12 revoking=-
timer g Session("s") at 105.001s

beat member=s instance=s epoch=-2
----
s epoch=-2 interval=0
record g current of s epoch=-2 previous=0 state=0 assigned=1:0@0+1@0 revoking=-

describe_consumer
----
Reconciling epoch=12 assignment_epoch=12 assignor=uniform
  member s epoch=-2 client=c host=/127.0.0.1 topics=t regex="" instance="s" rack="" assigned=1:0+1 target=1:0+1
