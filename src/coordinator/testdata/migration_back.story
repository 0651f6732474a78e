topic name=t partitions=2
----

consumer_settings assignment_interval_ms=0
----

# A consumer of the classic protocol comes to a group of the consumer protocol.
beat member=n topics=t
----
n epoch=2 interval=5000 assignment=1:0+1
record g member n client=c host=/127.0.0.1 topics=t rebalance=60000 regex=""
record g epoch 2 hash=129981052098570288
record g target of n 1:0+1
record g target 2 at=1000000
record g current of n epoch=2 previous=0 state=0 assigned=1:0@2+1@2 revoking=-
timer g Session("n") at 45s

join as=1 member=x client=x protocols=range:t,y:t type=other
----
reply to 1: join InconsistentGroupProtocol member=

join as=2 member=x client=x protocols=
----
reply to 2: join InconsistentGroupProtocol member=

join as=3 member=x client=x protocols=range:t,y:t
----
record g member x client=x host=/127.0.0.1 topics=t rebalance=60000 regex="" classic session=10000 protocols=range:[t],y:[t]
record g epoch 3 hash=129981052098570288
record g target of n 1:0
record g target of x 1:1
record g target 3 at=1000000
record g current of x epoch=3 previous=0 state=2 assigned=- revoking=-
reply to 3: join None member=x generation=3 type=consumer protocol=range leader=
timer g Session("x") at 10s
timer g Sync("x") at 60s

sync as=4 member=x generation=3
----
reply to 4: sync None type=null protocol=null assignment=[]
no timer g Sync("x")

heartbeat member=x generation=3
----
None

heartbeat member=n generation=2
----
UnknownMemberId

# It waits for what the other one has to give up.
beat member=n epoch=2 owned=1:0+1
----
n epoch=2 interval=5000 assignment=1:0
record g current of n epoch=2 previous=2 state=1 assigned=1:0@2 revoking=1:1@2
timer g Rebalance("n") at 60s

heartbeat member=x generation=3
----
None

beat member=n epoch=2 owned=1:0
----
n epoch=3 interval=5000
record g current of n epoch=3 previous=2 state=0 assigned=1:0@2 revoking=-
no timer g Rebalance("n")

heartbeat member=x generation=3
----
RebalanceInProgress
timer g Join("x") at 60s

join as=5 member=x client=x protocols=range:t,y:t
----
record g current of x epoch=3 previous=3 state=0 assigned=1:1@3 revoking=-
reply to 5: join None member=x generation=3 type=consumer protocol=range leader=
no timer g Join("x")
timer g Sync("x") at 60s

sync as=6 member=x generation=3 type=consumer protocol=range
----
reply to 6: sync None type=consumer protocol=range assignment=[t]
no timer g Sync("x")

describe_consumer
----
Stable epoch=3 assignment_epoch=3 assignor=uniform
  member n epoch=3 client=c host=/127.0.0.1 topics=t regex="" instance="" rack="" assigned=1:0 target=1:0
  member x epoch=3 client=x host=/127.0.0.1 topics=t regex="" instance="" rack="" assigned=1:1 target=1:1 classic

# The last one of the consumer protocol leaves: the group is a classic one and rebalances.
beat member=n epoch=-1
----
n epoch=-1 interval=0
tombstone g current of n
tombstone g current of x
tombstone g target of n
tombstone g target of x
tombstone g target
tombstone g member n
tombstone g member x
tombstone g partitions
tombstone g epoch
record GroupMetadata(GroupMetadataKey { group: "g" }) v3 type="consumer" generation=3 protocol=range leader=x since=1000000
  member x client=x host=/127.0.0.1 rebalance=60000 session=10000 metadata=[t] assignment=[t]
no timer g Session("n")
no timer g Session("x")
timer g Session("x") at 10s
timer g Join at 60s

describe
----
PreparingRebalance type="consumer" protocol=""
  member x client=x host=/127.0.0.1 metadata=- assignment=[t]

describe_consumer
----
GroupIdNotFound Group g is not a consumer group.

join as=7 member=x client=x protocols=range:t,y:t
----
reply to 7: join None member=x generation=4 type=consumer protocol=range leader=x
  member x metadata=[t]
no timer g Join
timer g Sync at 60s

sync as=8 member=x generation=5 assignments=x:A
----
reply to 8: sync IllegalGeneration type=null protocol=null assignment=-

describe
----
CompletingRebalance type="consumer" protocol=""
  member x client=x host=/127.0.0.1 metadata=- assignment=[t]

wait ms=5000
----

list
----
Listed { group_id: "g", protocol_type: "consumer", state: "CompletingRebalance", group_type: "classic" }

# All leave, and the group becomes one of the consumer protocol again.
leave members=x
----
Ok([None])
record GroupMetadata(GroupMetadataKey { group: "g" }) v3 type="consumer" generation=5 protocol=null leader=null since=1005000
no timer g Session("x")
no timer g Sync

beat member=m topics=t
----
m epoch=2 interval=5000 assignment=1:0+1
tombstone GroupMetadata(GroupMetadataKey { group: "g" })
record g member m client=c host=/127.0.0.1 topics=t rebalance=60000 regex=""
record g epoch 2 hash=129981052098570288
record g target of m 1:0+1
record g target 2 at=1005000
record g current of m epoch=2 previous=0 state=0 assigned=1:0@2+1@2 revoking=-
timer g Session("m") at 50s

beat member=m epoch=-1
----
m epoch=-1 interval=0
tombstone g current of m
tombstone g target of m
tombstone g member m
record g epoch 3 hash=0
record g target 3 at=0
no timer g Session("m")

# An empty one becomes a classic one, too.
join as=9 client=z protocols=range:t v=3
----
tombstone g target
tombstone g partitions
tombstone g epoch
record GroupMetadata(GroupMetadataKey { group: "g" }) v3 type="" generation=0 protocol=null leader=null since=1005000
timer g Session("z#1") at 305s
timer g Join at 8s

wait ms=3000
----
reply to 9: join None member=z#1 generation=1 type=consumer protocol=range leader=z#1
  member z#1 metadata=[t]
no timer g Join
timer g Session("z#1") at 18s
timer g Sync at 68s
