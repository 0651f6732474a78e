# A consumer comes without an id, is given one, and the group waits for more members to come.
join as=1 protocols=range:t,roundrobin:t
----
record GroupMetadata(GroupMetadataKey { group: "g" }) v3 type="" generation=0 protocol=null leader=null since=1000000
reply to 1: join MemberIdRequired member=c#1
timer g Session("c#1") at 10s

join as=2 member=c#1 protocols=range:t,roundrobin:t
----
timer g Session("c#1") at 300s
timer g Join at 3s

# A second one comes while the first rebalance waits, so it waits once more.
wait ms=2000
----

join as=3 client=d protocols=range:t+u
----
reply to 3: join MemberIdRequired member=d#2
timer g Session("d#2") at 12s

join as=4 client=d member=d#2 protocols=range:t+u
----
timer g Session("d#2") at 302s

describe group=g
----
PreparingRebalance type="consumer" protocol=""
  member c#1 client=c host=/127.0.0.1 metadata=- assignment=-
  member d#2 client=d host=/127.0.0.1 metadata=- assignment=-

wait ms=1000
----
timer g Join at 6s

wait ms=3000
----
reply to 2: join None member=c#1 generation=1 type=consumer protocol=range leader=c#1
  member c#1 metadata=[t]
  member d#2 metadata=[t+u]
reply to 4: join None member=d#2 generation=1 type=consumer protocol=range leader=c#1
no timer g Join
timer g Session("c#1") at 16s
timer g Session("d#2") at 16s
timer g Sync at 66s

describe group=g
----
CompletingRebalance type="consumer" protocol=""
  member c#1 client=c host=/127.0.0.1 metadata=- assignment=-
  member d#2 client=d host=/127.0.0.1 metadata=- assignment=-

list states=completingrebalance
----
Listed { group_id: "g", protocol_type: "consumer", state: "CompletingRebalance", group_type: "classic" }

# The follower waits for the leader's assignment. Both range, which is what both support.
sync as=5 member=d#2 generation=1 type=consumer protocol=range
----

heartbeat member=d#2 generation=1
----
None

commit member=d#2 generation=1 offsets=t-0:1
----
Err(RebalanceInProgress)

sync as=6 member=c#1 generation=1 type=consumer protocol=range assignments=c#1:A,d#2:B
----
record GroupMetadata(GroupMetadataKey { group: "g" }) v3 type="consumer" generation=1 protocol=range leader=c#1 since=1006000
  member c#1 client=c host=/127.0.0.1 rebalance=60000 session=10000 metadata=[t] assignment=A
  member d#2 client=d host=/127.0.0.1 rebalance=60000 session=10000 metadata=[t+u] assignment=B
reply to 6: sync None type=consumer protocol=range assignment=A
reply to 5: sync None type=consumer protocol=range assignment=B
no timer g Sync

describe group=g
----
Stable type="consumer" protocol="range"
  member c#1 client=c host=/127.0.0.1 metadata=[t] assignment=A
  member d#2 client=d host=/127.0.0.1 metadata=[t+u] assignment=B

heartbeat member=d#2 generation=1
----
None

# Who did not get the answer asks again.
sync as=7 member=d#2 generation=1
----
reply to 7: sync None type=consumer protocol=range assignment=B

commit member=d#2 generation=1 offsets=t-0:5,u-1:7 metadata=x leader_epoch=3
----
Ok([[None], [None]])
record OffsetCommit(OffsetCommitKey { group: "g", topic: "t", partition: 0 }) v4 offset=5 leader_epoch=3 metadata="x" committed=1006000 expires=-1
record OffsetCommit(OffsetCommitKey { group: "g", topic: "u", partition: 1 }) v4 offset=7 leader_epoch=3 metadata="x" committed=1006000 expires=-1

fetch partitions=t-0,t-1,u-1
----
t-0 offset=5 leader_epoch=3 metadata="x"
t-1 offset=-1 leader_epoch=-1 metadata=""
u-1 offset=7 leader_epoch=3 metadata="x"

fetch
----
t-0 offset=5 leader_epoch=3 metadata="x"
u-1 offset=7 leader_epoch=3 metadata="x"

# A third one comes: everybody has to join again.
join as=8 client=e protocols=range:t
----
reply to 8: join MemberIdRequired member=e#3
timer g Session("e#3") at 16s

join as=9 client=e member=e#3 protocols=range:t
----
timer g Session("e#3") at 306s
timer g Join at 66s

heartbeat member=d#2 generation=1
----
RebalanceInProgress

join as=10 member=c#1 protocols=range:t,roundrobin:t
----

# d does not come back in time; a commit is allowed meanwhile, and shows that it lives.
wait ms=5000
----

commit member=d#2 generation=1 offsets=t-0:6
----
Ok([[None]])
record OffsetCommit(OffsetCommitKey { group: "g", topic: "t", partition: 0 }) v4 offset=6 leader_epoch=-1 metadata="" committed=1011000 expires=-1
timer g Session("d#2") at 21s

wait ms=9000
----
no timer g Session("c#1")

heartbeat member=d#2 generation=1
----
RebalanceInProgress
timer g Session("d#2") at 30s

wait ms=2000
----

heartbeat member=e#3 generation=1
----
RebalanceInProgress
timer g Session("e#3") at 32s

wait ms=8000
----
reply to 10: join None member=c#1 generation=2 type=consumer protocol=range leader=c#1
  member c#1 metadata=[t]
  member e#3 metadata=[t]
reply to 9: join None member=e#3 generation=2 type=consumer protocol=range leader=c#1
no timer g Session("d#2")
no timer g Join
timer g Session("c#1") at 40s
timer g Session("e#3") at 40s
timer g Sync at 90s

# Its session ends, and the rebalance goes on without it.
describe
----
CompletingRebalance type="consumer" protocol=""
  member c#1 client=c host=/127.0.0.1 metadata=- assignment=A
  member e#3 client=e host=/127.0.0.1 metadata=- assignment=-

heartbeat member=d#2 generation=1
----
UnknownMemberId

sync as=11 member=e#3 generation=2
----

sync as=12 member=c#1 generation=2 assignments=c#1:A,e#3:B
----
record GroupMetadata(GroupMetadataKey { group: "g" }) v3 type="consumer" generation=2 protocol=range leader=c#1 since=1030000
  member c#1 client=c host=/127.0.0.1 rebalance=60000 session=10000 metadata=[t] assignment=A
  member e#3 client=e host=/127.0.0.1 rebalance=60000 session=10000 metadata=[t] assignment=B
reply to 12: sync None type=consumer protocol=range assignment=A
reply to 11: sync None type=consumer protocol=range assignment=B
no timer g Sync

# One leaves; the leader goes on alone, in a new generation.
leave members=e#3,nobody
----
Ok([None, UnknownMemberId])
no timer g Session("e#3")
timer g Join at 90s

join as=13 member=c#1 protocols=range:t,roundrobin:t
----
reply to 13: join None member=c#1 generation=3 type=consumer protocol=range leader=c#1
  member c#1 metadata=[t]
no timer g Join
timer g Sync at 90s

sync as=14 member=c#1 generation=3 assignments=c#1:A
----
record GroupMetadata(GroupMetadataKey { group: "g" }) v3 type="consumer" generation=3 protocol=range leader=c#1 since=1030000
  member c#1 client=c host=/127.0.0.1 rebalance=60000 session=10000 metadata=[t] assignment=A
reply to 14: sync None type=consumer protocol=range assignment=A
no timer g Sync

describe
----
Stable type="consumer" protocol="range"
  member c#1 client=c host=/127.0.0.1 metadata=[t] assignment=A

# A new process reads the log: the session begins anew.
wait ms=5000
----

restart
----
timer g Session("c#1") at 45s

describe
----
Stable type="consumer" protocol="range"
  member c#1 client=c host=/127.0.0.1 metadata=[t] assignment=A

# Nothing is heard of the last member.
wait ms=10000
----
record GroupMetadata(GroupMetadataKey { group: "g" }) v3 type="consumer" generation=4 protocol=null leader=null since=1045000
no timer g Session("c#1")

describe
----
Empty type="consumer" protocol=""

fetch
----
t-0 offset=6 leader_epoch=-1 metadata=""
u-1 offset=7 leader_epoch=3 metadata="x"

list
----
Listed { group_id: "g", protocol_type: "consumer", state: "Empty", group_type: "classic" }
