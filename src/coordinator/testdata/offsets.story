settings initial_delay_ms=0 metadata_max=5 retention_ms=60000
----

# A consumer without a group.
commit group=s offsets=t-0:5
----
Ok([[None]])
record OffsetCommit(OffsetCommitKey { group: "s", topic: "t", partition: 0 }) v4 offset=5 leader_epoch=-1 metadata="" committed=1000000 expires=-1

list
----
Listed { group_id: "s", protocol_type: "", state: "Empty", group_type: "classic" }

describe group=s
----
Empty type="" protocol=""

commit group=s offsets=t-1:6,t-2:7 metadata=grüße
----
Ok([[None, None]])
record OffsetCommit(OffsetCommitKey { group: "s", topic: "t", partition: 1 }) v4 offset=6 leader_epoch=-1 metadata="grüße" committed=1000000 expires=-1
record OffsetCommit(OffsetCommitKey { group: "s", topic: "t", partition: 2 }) v4 offset=7 leader_epoch=-1 metadata="grüße" committed=1000000 expires=-1

commit group=s offsets=t-1:6 metadata=larger
----
Ok([[OffsetMetadataTooLarge]])

commit group=s offsets=t-1:6 generation=1 member=x
----
Err(UnknownMemberId)

commit group=nope offsets=t-0:5 generation=3 member=x
----
Err(GroupIdNotFound)

commit group=nope offsets=t-0:5 generation=3 member=x v=8
----
Err(IllegalGeneration)

list
----
Listed { group_id: "s", protocol_type: "", state: "Empty", group_type: "classic" }

fetch group=s partitions=t-0,t-1,t-2
----
t-0 offset=5 leader_epoch=-1 metadata=""
t-1 offset=6 leader_epoch=-1 metadata="grüße"
t-2 offset=7 leader_epoch=-1 metadata="grüße"

fetch group=nope partitions=t-0
----
t-0 offset=-1 leader_epoch=-1 metadata=""

fetch group=nope
----

# By topic id: what was committed under another id is not told.
commit group=s offsets=u-0:1 topic_id=7 v=10
----
Ok([[None]])
record OffsetCommit(OffsetCommitKey { group: "s", topic: "u", partition: 0 }) v4 offset=1 leader_epoch=-1 metadata="" committed=1000000 expires=-1 topic_id=AAAAAAAAAAAAAAAAAAAABw

fetch group=s partitions=u-0 topic_id=7
----
u-0 offset=1 leader_epoch=-1 metadata=""

fetch group=s partitions=u-0 topic_id=8
----
u-0 offset=-1 leader_epoch=-1 metadata=""

fetch group=s partitions=u-0
----
u-0 offset=1 leader_epoch=-1 metadata=""

# Old clients say how long an offset is to be kept.
commit group=s offsets=v-0:1 retention=1000 v=4
----
Ok([[None]])
record OffsetCommit(OffsetCommitKey { group: "s", topic: "v", partition: 0 }) v1 offset=1 leader_epoch=-1 metadata="" committed=1000000 expires=1001000

wait ms=1000
----

expire
----
tombstone OffsetCommit(OffsetCommitKey { group: "s", topic: "v", partition: 0 })

wait ms=58000
----

commit group=s offsets=t-0:8
----
Ok([[None]])
record OffsetCommit(OffsetCommitKey { group: "s", topic: "t", partition: 0 }) v4 offset=8 leader_epoch=-1 metadata="" committed=1059000 expires=-1

wait ms=1000
----

# All but the one that was committed meanwhile.
expire
----
tombstone OffsetCommit(OffsetCommitKey { group: "s", topic: "t", partition: 1 })
tombstone OffsetCommit(OffsetCommitKey { group: "s", topic: "t", partition: 2 })
tombstone OffsetCommit(OffsetCommitKey { group: "s", topic: "u", partition: 0 })

# A group without members and offsets is deleted.
wait ms=59000
----

expire
----
tombstone OffsetCommit(OffsetCommitKey { group: "s", topic: "t", partition: 0 })
tombstone GroupMetadata(GroupMetadataKey { group: "s" })

list
----

# Consumers in a group: what they read does not expire and cannot be deleted.
join as=1 protocols=range:t v=3
----
record GroupMetadata(GroupMetadataKey { group: "g" }) v3 type="" generation=0 protocol=null leader=null since=1119000
timer g Session("c#1") at 419s
timer g Join at 119s

wait ms=0
----
reply to 1: join None member=c#1 generation=1 type=consumer protocol=range leader=c#1
  member c#1 metadata=[t]
no timer g Join
timer g Session("c#1") at 129s
timer g Sync at 179s

commit offsets=t-0:1 member=c#1 generation=1
----
Err(RebalanceInProgress)

sync as=2 member=c#1 generation=1 assignments=c#1:A
----
record GroupMetadata(GroupMetadataKey { group: "g" }) v3 type="consumer" generation=1 protocol=range leader=c#1 since=1119000
  member c#1 client=c host=/127.0.0.1 rebalance=60000 session=10000 metadata=[t] assignment=A
reply to 2: sync None type=consumer protocol=range assignment=A
no timer g Sync

commit offsets=t-0:1,u-0:2 member=c#1 generation=1
----
Ok([[None], [None]])
record OffsetCommit(OffsetCommitKey { group: "g", topic: "t", partition: 0 }) v4 offset=1 leader_epoch=-1 metadata="" committed=1119000 expires=-1
record OffsetCommit(OffsetCommitKey { group: "g", topic: "u", partition: 0 }) v4 offset=2 leader_epoch=-1 metadata="" committed=1119000 expires=-1

commit offsets=t-0:1 member=c#1 generation=0
----
Err(IllegalGeneration)

commit offsets=t-0:1 member=c#2 generation=1
----
Err(UnknownMemberId)

commit offsets=t-0:1
----
Err(UnknownMemberId)

commit offsets=t-0:1 member=c#1
----
Err(IllegalGeneration)

commit offsets=t-0:1 member=c#1 instance=i generation=1
----
Err(UnknownMemberId)

delete_offsets partitions=t-0,t-1,u-1,u-0
----
Ok([[GroupSubscribedToTopic, GroupSubscribedToTopic], [None, None]])
tombstone OffsetCommit(OffsetCommitKey { group: "g", topic: "u", partition: 0 })

delete_offsets group=nope partitions=t-0
----
Err(GroupIdNotFound)

delete_offsets group= partitions=t-0
----
Err(InvalidGroupId)

commit offsets=u-0:2 member=c#1 generation=1
----
Ok([[None]])
record OffsetCommit(OffsetCommitKey { group: "g", topic: "u", partition: 0 }) v4 offset=2 leader_epoch=-1 metadata="" committed=1119000 expires=-1

delete group=g
----
Err(NonEmptyGroup)

delete group=nope
----
Err(GroupIdNotFound)

# u is not read: its offset expires. The member lives through its commits.
wait ms=9000
----

heartbeat member=c#1 generation=1
----
None
timer g Session("c#1") at 138s

wait ms=9000
----

heartbeat member=c#1 generation=1
----
None
timer g Session("c#1") at 147s

wait ms=9000
----

heartbeat member=c#1 generation=1
----
None
timer g Session("c#1") at 156s

wait ms=9000
----

heartbeat member=c#1 generation=1
----
None
timer g Session("c#1") at 165s

wait ms=9000
----

heartbeat member=c#1 generation=1
----
None
timer g Session("c#1") at 174s

wait ms=9000
----

heartbeat member=c#1 generation=1
----
None
timer g Session("c#1") at 183s

wait ms=6000
----

expire
----
tombstone OffsetCommit(OffsetCommitKey { group: "g", topic: "u", partition: 0 })

# A topic is deleted.
commit offsets=t-0:9,u-0:2 member=c#1 generation=1
----
Ok([[None], [None]])
record OffsetCommit(OffsetCommitKey { group: "g", topic: "t", partition: 0 }) v4 offset=9 leader_epoch=-1 metadata="" committed=1179000 expires=-1
record OffsetCommit(OffsetCommitKey { group: "g", topic: "u", partition: 0 }) v4 offset=2 leader_epoch=-1 metadata="" committed=1179000 expires=-1
timer g Session("c#1") at 189s

forget topics=u
----
tombstone OffsetCommit(OffsetCommitKey { group: "g", topic: "u", partition: 0 })

# What was committed for another topic of the same name stays.
commit offsets=u-0:3 topic_id=9 member=c#1 generation=1
----
Ok([[None]])
record OffsetCommit(OffsetCommitKey { group: "g", topic: "u", partition: 0 }) v4 offset=3 leader_epoch=-1 metadata="" committed=1179000 expires=-1 topic_id=AAAAAAAAAAAAAAAAAAAACQ

forget topics=u topic_id=8
----

forget topics=u topic_id=9
----
tombstone OffsetCommit(OffsetCommitKey { group: "g", topic: "u", partition: 0 })

# The group becomes empty: from then on the offsets' time counts.
leave members=c#1
----
Ok([None])
record GroupMetadata(GroupMetadataKey { group: "g" }) v3 type="consumer" generation=2 protocol=null leader=null since=1179000
no timer g Session("c#1")

commit offsets=t-0:10
----
Ok([[None]])
record OffsetCommit(OffsetCommitKey { group: "g", topic: "t", partition: 0 }) v4 offset=10 leader_epoch=-1 metadata="" committed=1179000 expires=-1

wait ms=59999
----

expire
----

wait ms=1
----

expire
----
tombstone OffsetCommit(OffsetCommitKey { group: "g", topic: "t", partition: 0 })
tombstone GroupMetadata(GroupMetadataKey { group: "g" })

list
----

# A group that is no consumer keeps its offsets while it has members.
join as=3 group=w type=connect protocols=p:x v=3
----
record GroupMetadata(GroupMetadataKey { group: "w" }) v3 type="" generation=0 protocol=null leader=null since=1239000
timer w Session("c#2") at 539s
timer w Join at 239s

wait ms=0
----
reply to 3: join None member=c#2 generation=1 type=connect protocol=p leader=c#2
  member c#2 metadata=x
no timer w Join
timer w Session("c#2") at 249s
timer w Sync at 299s

sync as=4 group=w member=c#2 generation=1
----
record GroupMetadata(GroupMetadataKey { group: "w" }) v3 type="connect" generation=1 protocol=p leader=c#2 since=1239000
  member c#2 client=c host=/127.0.0.1 rebalance=60000 session=10000 metadata=x assignment=-
reply to 4: sync None type=connect protocol=p assignment=-
no timer w Sync

commit group=w member=c#2 generation=1 offsets=t-0:1
----
Ok([[None]])
record OffsetCommit(OffsetCommitKey { group: "w", topic: "t", partition: 0 }) v4 offset=1 leader_epoch=-1 metadata="" committed=1239000 expires=-1

delete_offsets group=w partitions=t-0
----
Err(NonEmptyGroup)

leave group=w members=c#2
----
Ok([None])
record GroupMetadata(GroupMetadataKey { group: "w" }) v3 type="connect" generation=2 protocol=null leader=null since=1239000
no timer w Session("c#2")

delete_offsets group=w partitions=t-0,t-1
----
Ok([[None, None]])
tombstone OffsetCommit(OffsetCommitKey { group: "w", topic: "t", partition: 0 })

commit group=w offsets=t-0:1,t-1:2
----
Ok([[None, None]])
record OffsetCommit(OffsetCommitKey { group: "w", topic: "t", partition: 0 }) v4 offset=1 leader_epoch=-1 metadata="" committed=1239000 expires=-1
record OffsetCommit(OffsetCommitKey { group: "w", topic: "t", partition: 1 }) v4 offset=2 leader_epoch=-1 metadata="" committed=1239000 expires=-1

delete group=w
----
Ok(())
tombstone OffsetCommit(OffsetCommitKey { group: "w", topic: "t", partition: 0 })
tombstone OffsetCommit(OffsetCommitKey { group: "w", topic: "t", partition: 1 })
tombstone GroupMetadata(GroupMetadataKey { group: "w" })

fetch group=w
----
