topic name=t partitions=4
----

consumer_settings assignment_interval_ms=0
----

settings initial_delay_ms=0
----

# Two consumers of the classic protocol.
join as=1 client=a protocols=range:t,x:t v=3
----
record GroupMetadata(GroupMetadataKey { group: "g" }) v3 type="" generation=0 protocol=null leader=null since=1000000
timer g Session("a#1") at 300s
timer g Join at 0s

join as=2 client=b protocols=range:t v=3
----
timer g Session("b#2") at 300s

wait ms=0
----
reply to 1: join None member=a#1 generation=1 type=consumer protocol=range leader=a#1
  member a#1 metadata=[t]
  member b#2 metadata=[t]
reply to 2: join None member=b#2 generation=1 type=consumer protocol=range leader=a#1
no timer g Join
timer g Session("a#1") at 10s
timer g Session("b#2") at 10s
timer g Sync at 60s

sync as=3 member=a#1 generation=1 assignments=a#1:,b#2:
----
record GroupMetadata(GroupMetadataKey { group: "g" }) v3 type="consumer" generation=1 protocol=range leader=a#1 since=1000000
  member a#1 client=a host=/127.0.0.1 rebalance=60000 session=10000 metadata=[t] assignment=-
  member b#2 client=b host=/127.0.0.1 rebalance=60000 session=10000 metadata=[t] assignment=-
reply to 3: sync None type=consumer protocol=range assignment=-

sync as=4 member=b#2 generation=1
----
reply to 4: sync None type=consumer protocol=range assignment=-
no timer g Sync

# One of the new protocol comes, and the group becomes one of it. (Kafka's uniform would go by the hashes of random ids.)
beat member=n topics=t assignor=range
----
n epoch=2 interval=5000 assignment=1:3
tombstone GroupMetadata(GroupMetadataKey { group: "g" })
record g member a#1 client=a host=/127.0.0.1 topics=t rebalance=60000 regex="" classic session=10000 protocols=range:[t],x:[t]
record g member b#2 client=b host=/127.0.0.1 topics=t rebalance=60000 regex="" classic session=10000 protocols=range:[t]
record g epoch 1 hash=-954534464913970981
record g target of a#1 -
record g target of b#2 -
record g target 1 at=0
record g current of a#1 epoch=1 previous=1 state=0 assigned=- revoking=-
record g current of b#2 epoch=1 previous=1 state=0 assigned=- revoking=-
record g member n client=c host=/127.0.0.1 topics=t rebalance=60000 regex="" assignor="range"
record g epoch 2 hash=-954534464913970981
record g target of a#1 1:0+1
record g target of b#2 1:2
record g target of n 1:3
record g target 2 at=1000000
record g current of n epoch=2 previous=0 state=0 assigned=1:3@2 revoking=-
no timer g Session("a#1")
no timer g Session("b#2")
timer g Session("a#1") at 10s
timer g Session("b#2") at 10s
timer g Session("n") at 45s

describe_consumer
----
Reconciling epoch=2 assignment_epoch=2 assignor=range
  member a#1 epoch=1 client=a host=/127.0.0.1 topics=t regex="" instance="" rack="" assigned=- target=1:0+1 classic
  member b#2 epoch=1 client=b host=/127.0.0.1 topics=t regex="" instance="" rack="" assigned=- target=1:2 classic
  member n epoch=2 client=c host=/127.0.0.1 topics=t regex="" instance="" rack="" assigned=1:3 target=1:3

heartbeat member=a#1 generation=1
----
RebalanceInProgress
timer g Join("a#1") at 60s

sync as=5 member=a#1 generation=1
----
reply to 5: sync RebalanceInProgress type=null protocol=null assignment=-

join as=6 client=a member=a#1 protocols=range:t,x:t v=3
----
record g current of a#1 epoch=2 previous=1 state=0 assigned=1:0@2+1@2 revoking=-
reply to 6: join None member=a#1 generation=2 type=consumer protocol=range leader=
no timer g Join("a#1")
timer g Sync("a#1") at 60s

sync as=7 member=a#1 generation=2
----
reply to 7: sync None type=null protocol=null assignment=[t]
no timer g Sync("a#1")

heartbeat member=a#1 generation=2
----
None

describe
----
Refusal { error: GroupIdNotFound, message: Some("Group g is not a classic group.") }

# The other one does not join again.
heartbeat member=b#2 generation=1
----
RebalanceInProgress
timer g Join("b#2") at 60s

wait ms=60000
----
tombstone g current of a#1
tombstone g target of a#1
tombstone g member a#1
record g epoch 3 hash=-954534464913970981
tombstone g current of b#2
tombstone g target of b#2
tombstone g member b#2
record g epoch 4 hash=-954534464913970981
tombstone g current of n
tombstone g target of n
tombstone g member n
record g epoch 5 hash=0
record g target 5 at=0
no timer g Session("a#1")
no timer g Session("b#2")
no timer g Session("n")
no timer g Join("b#2")

describe_consumer
----
Empty epoch=5 assignment_epoch=5 assignor=uniform
