settings initial_delay_ms=3000 max_size=2
----

# The initial delay ends with the rebalance timeout, whoever comes.
join as=1 client=a protocols=p:1 type=connect rebalance=7000 v=3
----
record GroupMetadata(GroupMetadataKey { group: "g" }) v3 type="" generation=0 protocol=null leader=null since=1000000
timer g Session("a#1") at 300s
timer g Join at 3s

wait ms=2000
----

join as=2 client=b protocols=p:2 type=connect rebalance=7000 v=3
----
timer g Session("b#2") at 302s

wait ms=3000
----
timer g Join at 6s

# Two are enough.
join as=3 client=c protocols=p:3 type=connect v=3
----
reply to 3: join GroupMaxSizeReached member=

join as=4 client=c protocols=p:3 type=connect
----
reply to 4: join GroupMaxSizeReached member=

leave members=a#1
----
Ok([None])
reply to 1: join UnknownMemberId member=
no timer g Session("a#1")

join as=5 client=c protocols=p:3 type=connect v=3
----
timer g Session("c#3") at 305s

wait ms=2000
----
reply to 2: join None member=b#2 generation=1 type=connect protocol=p leader=b#2
  member b#2 metadata=2
  member c#3 metadata=3
reply to 5: join None member=c#3 generation=1 type=connect protocol=p leader=b#2
no timer g Join
timer g Session("b#2") at 17s
timer g Session("c#3") at 17s
timer g Sync at 67s

# What does not fit.
sync as=6 member=b#2 generation=1 type=consumer
----
reply to 6: sync InconsistentGroupProtocol type=null protocol=null assignment=-

sync as=7 member=b#2 generation=1 protocol=q
----
reply to 7: sync InconsistentGroupProtocol type=null protocol=null assignment=-

join as=8 client=d protocols=q:3 type=connect
----
reply to 8: join GroupMaxSizeReached member=

join as=9 client=d protocols=p:3 type=consumer
----
reply to 9: join GroupMaxSizeReached member=

join as=10 group=h client=d protocols= type=consumer
----
record GroupMetadata(GroupMetadataKey { group: "h" }) v3 type="" generation=0 protocol=null leader=null since=1007000
reply to 10: join InconsistentGroupProtocol member=

join as=11 group=h client=d protocols=range:t session=5999
----
reply to 11: join InvalidSessionTimeout member=

join as=12 group=h client=d protocols=range:t session=1800001
----
reply to 12: join InvalidSessionTimeout member=

join as=13 group= client=d protocols=range:t
----
reply to 13: join InvalidGroupId member=

join as=14 group=i member=x protocols=range:t
----
reply to 14: join UnknownMemberId member=x

# Nobody sends assignments: who has not asked for them in time is removed, and the others start again.
join as=15 client=b member=b#2 protocols=p:2 type=connect
----
reply to 15: join None member=b#2 generation=1 type=connect protocol=p leader=b#2
  member b#2 metadata=2
  member c#3 metadata=3

sync as=16 member=b#2 generation=1
----
record GroupMetadata(GroupMetadataKey { group: "g" }) v3 type="connect" generation=1 protocol=p leader=b#2 since=1007000
  member b#2 client=b host=/127.0.0.1 rebalance=7000 session=10000 metadata=2 assignment=-
  member c#3 client=c host=/127.0.0.1 rebalance=60000 session=10000 metadata=3 assignment=-
reply to 16: sync None type=connect protocol=p assignment=-

heartbeat member=c#3 generation=1
----
None

wait ms=9000
----

heartbeat member=c#3 generation=1
----
None
timer g Session("c#3") at 26s

wait ms=9000
----
no timer g Session("b#2")
no timer g Sync
timer g Join at 77s

heartbeat member=c#3 generation=1
----
RebalanceInProgress
timer g Session("c#3") at 35s

wait ms=50000
----
record GroupMetadata(GroupMetadataKey { group: "g" }) v3 type="connect" generation=2 protocol=null leader=null since=1035000
no timer g Session("c#3")
no timer g Join

describe
----
Empty type="connect" protocol=""

# The same member asks twice: the last request is the one that is answered with the result.
settings max_size=5
----

join as=17 client=e protocols=p:5 type=connect v=3 group=j
----
record GroupMetadata(GroupMetadataKey { group: "j" }) v3 type="" generation=0 protocol=null leader=null since=1075000
timer j Session("e#4") at 375s
timer j Join at 78s

join as=18 client=e member=e#4 protocols=p:6 type=connect group=j
----
reply to 17: join RebalanceInProgress member=e#4

wait ms=3000
----
reply to 18: join None member=e#4 generation=1 type=connect protocol=p leader=e#4
  member e#4 metadata=6
no timer j Join
timer j Session("e#4") at 88s
timer j Sync at 138s

sync as=19 member=e#4 generation=1 group=j assignments=
----
record GroupMetadata(GroupMetadataKey { group: "j" }) v3 type="connect" generation=1 protocol=p leader=e#4 since=1078000
  member e#4 client=e host=/127.0.0.1 rebalance=60000 session=10000 metadata=6 assignment=-
reply to 19: sync None type=connect protocol=p assignment=-
no timer j Sync

join as=20 client=f protocols=p:6 type=connect v=3 group=j
----
timer j Session("f#5") at 378s
timer j Join at 138s

join as=21 client=e member=e#4 protocols=p:6 type=connect group=j
----
reply to 21: join None member=e#4 generation=2 type=connect protocol=p leader=e#4
  member e#4 metadata=6
  member f#5 metadata=6
reply to 20: join None member=f#5 generation=2 type=connect protocol=p leader=e#4
no timer j Join
timer j Session("f#5") at 88s
timer j Sync at 138s

sync as=22 member=f#5 generation=2 group=j
----

sync as=23 member=f#5 generation=2 group=j
----
reply to 22: sync RebalanceInProgress type=null protocol=null assignment=-

# A member that leaves while it waits for its assignment.
leave group=j members=f#5
----
Ok([None])
reply to 23: sync UnknownMemberId type=null protocol=null assignment=-
no timer j Session("f#5")
no timer j Sync
timer j Join at 138s

# A group that is loaded with more members than are allowed shrinks by a rebalance.
join as=24 client=e member=e#4 protocols=p:6 type=connect group=j
----
reply to 24: join None member=e#4 generation=3 type=connect protocol=p leader=e#4
  member e#4 metadata=6
no timer j Join
timer j Sync at 138s

join as=25 client=f protocols=p:6 type=connect v=3 group=j
----
no timer j Sync
timer j Session("f#6") at 378s
timer j Join at 138s

join as=26 client=e member=e#4 protocols=p:6 type=connect group=j
----
reply to 26: join None member=e#4 generation=4 type=connect protocol=p leader=e#4
  member e#4 metadata=6
  member f#6 metadata=6
reply to 25: join None member=f#6 generation=4 type=connect protocol=p leader=e#4
no timer j Join
timer j Session("f#6") at 88s
timer j Sync at 138s

sync as=27 member=e#4 generation=4 group=j assignments=e#4:A,f#6:B
----
record GroupMetadata(GroupMetadataKey { group: "j" }) v3 type="connect" generation=4 protocol=p leader=e#4 since=1078000
  member e#4 client=e host=/127.0.0.1 rebalance=60000 session=10000 metadata=6 assignment=A
  member f#6 client=f host=/127.0.0.1 rebalance=60000 session=10000 metadata=6 assignment=B
reply to 27: sync None type=connect protocol=p assignment=A

settings max_size=1
----

restart
----
no timer j Sync
timer j Join at 138s

join as=28 client=e member=e#4 protocols=p:6 type=connect group=j
----

join as=29 client=f member=f#6 protocols=p:6 type=connect group=j
----
reply to 29: join GroupMaxSizeReached member=
no timer j Session("f#6")

wait ms=60000
----
reply to 28: join None member=e#4 generation=5 type=connect protocol=p leader=e#4
  member e#4 metadata=6
no timer j Join
timer j Session("e#4") at 148s
timer j Sync at 198s

describe group=j
----
CompletingRebalance type="connect" protocol=""
  member e#4 client=e host=/127.0.0.1 metadata=- assignment=A

# A pending member that never comes, and one that goes.
join as=30 client=k protocols=p:1 type=connect group=k
----
record GroupMetadata(GroupMetadataKey { group: "k" }) v3 type="" generation=0 protocol=null leader=null since=1138000
reply to 30: join MemberIdRequired member=k#7
timer k Session("k#7") at 148s

leave group=k members=k#7
----
Ok([None])
no timer k Session("k#7")

join as=31 client=k protocols=p:1 type=connect group=k session=6000
----
reply to 31: join MemberIdRequired member=k#8
timer k Session("k#8") at 144s

join as=32 client=k member=k#8 instance=wrong protocols=p:1 type=connect group=k session=6000
----
reply to 32: join UnknownServerError member=

wait ms=6000
----
no timer k Session("k#8")

join as=33 client=k member=k#8 protocols=p:1 type=connect group=k
----
reply to 33: join UnknownMemberId member=k#8

list
----
Listed { group_id: "g", protocol_type: "connect", state: "Empty", group_type: "classic" }
Listed { group_id: "h", protocol_type: "", state: "Empty", group_type: "classic" }
Listed { group_id: "j", protocol_type: "connect", state: "CompletingRebalance", group_type: "classic" }
Listed { group_id: "k", protocol_type: "", state: "Empty", group_type: "classic" }
