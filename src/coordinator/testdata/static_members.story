settings initial_delay_ms=0
----

# Static members get their id with the first answer (KIP-345).
join as=1 client=a instance=i protocols=range:t,roundrobin:t
----
record GroupMetadata(GroupMetadataKey { group: "g" }) v3 type="" generation=0 protocol=null leader=null since=1000000
timer g Session("i#1") at 300s
timer g Join at 0s

join as=2 client=b instance=j protocols=range:t,roundrobin:t
----
timer g Session("j#2") at 300s

wait ms=0
----
reply to 1: join None member=i#1 generation=1 type=consumer protocol=range leader=i#1
  member i#1 instance=i metadata=[t]
  member j#2 instance=j metadata=[t]
reply to 2: join None member=j#2 generation=1 type=consumer protocol=range leader=i#1
no timer g Join
timer g Session("i#1") at 10s
timer g Session("j#2") at 10s
timer g Sync at 60s

sync as=3 member=i#1 instance=i generation=1 assignments=i#1:A,j#2:B
----
record GroupMetadata(GroupMetadataKey { group: "g" }) v3 type="consumer" generation=1 protocol=range leader=i#1 since=1000000
  member i#1 instance=i client=a host=/127.0.0.1 rebalance=60000 session=10000 metadata=[t] assignment=A
  member j#2 instance=j client=b host=/127.0.0.1 rebalance=60000 session=10000 metadata=[t] assignment=B
reply to 3: sync None type=consumer protocol=range assignment=A

sync as=4 member=j#2 instance=j generation=1
----
reply to 4: sync None type=consumer protocol=range assignment=B
no timer g Sync

# A follower comes back without its id: no rebalance, the old id is fenced.
join as=5 client=b instance=j protocols=range:t,roundrobin:t
----
record GroupMetadata(GroupMetadataKey { group: "g" }) v3 type="consumer" generation=1 protocol=range leader=i#1 since=1000000
  member i#1 instance=i client=a host=/127.0.0.1 rebalance=60000 session=10000 metadata=[t] assignment=A
  member j#3 instance=j client=b host=/127.0.0.1 rebalance=60000 session=10000 metadata=[t] assignment=B
reply to 5: join None member=j#3 generation=1 type=consumer protocol=range leader=i#1
no timer g Session("j#2")
timer g Session("j#3") at 10s

heartbeat member=j#2 instance=j generation=1
----
FencedInstanceId

sync as=6 member=j#2 instance=j generation=1
----
reply to 6: sync FencedInstanceId type=null protocol=null assignment=-

leave members=j#2/j
----
Ok([FencedInstanceId])

sync as=7 member=j#3 instance=j generation=1
----
reply to 7: sync None type=consumer protocol=range assignment=B

# The leader comes back, and is told to skip the assignment (KIP-814) ...
join as=8 client=a instance=i protocols=range:t,roundrobin:t
----
record GroupMetadata(GroupMetadataKey { group: "g" }) v3 type="consumer" generation=1 protocol=range leader=i#4 since=1000000
  member i#4 instance=i client=a host=/127.0.0.1 rebalance=60000 session=10000 metadata=[t] assignment=A
  member j#3 instance=j client=b host=/127.0.0.1 rebalance=60000 session=10000 metadata=[t] assignment=B
reply to 8: join None member=i#4 generation=1 type=consumer protocol=range leader=i#4 skip_assignment
  member i#4 instance=i metadata=[t]
  member j#3 instance=j metadata=[t]
no timer g Session("i#1")
timer g Session("i#4") at 10s

# ... or, if it would not understand that, that somebody else leads.
join as=9 client=a instance=i protocols=range:t,roundrobin:t v=8
----
record GroupMetadata(GroupMetadataKey { group: "g" }) v3 type="consumer" generation=1 protocol=range leader=i#5 since=1000000
  member i#5 instance=i client=a host=/127.0.0.1 rebalance=60000 session=10000 metadata=[t] assignment=A
  member j#3 instance=j client=b host=/127.0.0.1 rebalance=60000 session=10000 metadata=[t] assignment=B
reply to 9: join None member=i#5 generation=1 type=consumer protocol=range leader=i#4
no timer g Session("i#4")
timer g Session("i#5") at 10s

describe
----
Stable type="consumer" protocol="range"
  member i#5 instance=i client=a host=/127.0.0.1 metadata=[t] assignment=A
  member j#3 instance=j client=b host=/127.0.0.1 metadata=[t] assignment=B

# What everybody supports changes with it: that takes a rebalance.
join as=10 client=b instance=j protocols=roundrobin:t
----
no timer g Session("j#3")
timer g Session("j#6") at 10s
timer g Join at 60s

join as=11 member=i#5 instance=i protocols=range:t,roundrobin:t
----
reply to 11: join None member=i#5 generation=2 type=consumer protocol=roundrobin leader=i#5
  member i#5 instance=i metadata=[t]
  member j#6 instance=j metadata=[t]
reply to 10: join None member=j#6 generation=2 type=consumer protocol=roundrobin leader=i#5
no timer g Join
timer g Sync at 60s

sync as=12 member=i#5 instance=i generation=2 assignments=i#5:A
----
record GroupMetadata(GroupMetadataKey { group: "g" }) v3 type="consumer" generation=2 protocol=roundrobin leader=i#5 since=1000000
  member i#5 instance=i client=a host=/127.0.0.1 rebalance=60000 session=10000 metadata=[t] assignment=A
  member j#6 instance=j client=b host=/127.0.0.1 rebalance=60000 session=10000 metadata=[t] assignment=-
reply to 12: sync None type=consumer protocol=roundrobin assignment=A

# One that replaces another while assignments are computed starts a rebalance; the other is told at once.
sync as=13 member=j#6 instance=j generation=2
----
reply to 13: sync None type=consumer protocol=roundrobin assignment=-
no timer g Sync

join as=14 member=j#6 instance=j protocols=roundrobin:t,new:t
----
timer g Join at 60s

join as=15 client=b instance=j protocols=roundrobin:t
----
reply to 14: join FencedInstanceId member=j#6
no timer g Session("j#6")
timer g Session("j#7") at 10s

join as=16 member=i#5 instance=i protocols=roundrobin:t
----
reply to 16: join None member=i#5 generation=3 type=consumer protocol=roundrobin leader=i#5
  member i#5 instance=i metadata=[t]
  member j#7 instance=j metadata=[t]
reply to 15: join None member=j#7 generation=3 type=consumer protocol=roundrobin leader=i#5
no timer g Join
timer g Sync at 60s

join as=17 client=b instance=j protocols=roundrobin:t
----
no timer g Session("j#7")
no timer g Sync
timer g Session("j#8") at 10s
timer g Join at 60s

join as=18 member=i#5 instance=i protocols=roundrobin:t
----
reply to 18: join None member=i#5 generation=4 type=consumer protocol=roundrobin leader=i#5
  member i#5 instance=i metadata=[t]
  member j#8 instance=j metadata=[t]
reply to 17: join None member=j#8 generation=4 type=consumer protocol=roundrobin leader=i#5
no timer g Join
timer g Sync at 60s

# A static member that does not come back stays until its session ends, and leads nothing.
join as=19 member=j#8 instance=j protocols=roundrobin:u
----
no timer g Sync
timer g Join at 60s

wait ms=9000
----

heartbeat member=i#5 instance=i generation=4
----
RebalanceInProgress
timer g Session("i#5") at 19s

wait ms=9000
----
no timer g Session("j#8")

heartbeat member=i#5 instance=i generation=4
----
RebalanceInProgress
timer g Session("i#5") at 28s

wait ms=9000
----

heartbeat member=i#5 instance=i generation=4
----
RebalanceInProgress
timer g Session("i#5") at 37s

wait ms=9000
----

heartbeat member=i#5 instance=i generation=4
----
RebalanceInProgress
timer g Session("i#5") at 46s

wait ms=9000
----

heartbeat member=i#5 instance=i generation=4
----
RebalanceInProgress
timer g Session("i#5") at 55s

wait ms=9000
----

heartbeat member=i#5 instance=i generation=4
----
RebalanceInProgress
timer g Session("i#5") at 64s

wait ms=6000
----
reply to 19: join None member=j#8 generation=5 type=consumer protocol=roundrobin leader=j#8
  member i#5 instance=i metadata=[t]
  member j#8 instance=j metadata=[u]
no timer g Join
timer g Session("i#5") at 70s
timer g Session("j#8") at 70s
timer g Sync at 120s

describe
----
CompletingRebalance type="consumer" protocol=""
  member i#5 instance=i client=a host=/127.0.0.1 metadata=- assignment=-
  member j#8 instance=j client=b host=/127.0.0.1 metadata=- assignment=-

# An administrator removes members by their instance ids.
leave members=/i,/unknown,/j
----
Ok([None, UnknownMemberId, None])
record GroupMetadata(GroupMetadataKey { group: "g" }) v3 type="consumer" generation=6 protocol=null leader=null since=1060000
no timer g Session("i#5")
no timer g Session("j#8")
no timer g Sync

describe
----
Empty type="consumer" protocol=""

delete group=g
----
Ok(())
tombstone GroupMetadata(GroupMetadataKey { group: "g" })

describe
----
Refusal { error: GroupIdNotFound, message: Some("Group g not found.") }

list
----
