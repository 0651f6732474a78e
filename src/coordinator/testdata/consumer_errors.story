topic name=t partitions=4
----

consumer_settings assignment_interval_ms=0
----

settings consumer_max_size=2
----

beat topics=t
----
InvalidRequest MemberId can't be empty.

beat member=a topics=t group=
----
InvalidRequest GroupId can't be empty.

beat member=a
----
InvalidRequest Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.

beat member=a topics=t rebalance=-1
----
InvalidRequest RebalanceTimeoutMs must be provided in first request.

beat member=a topics=t owned=1:0
----
InvalidRequest TopicPartitions must be empty when (re-)joining.

beat member=a topics=t assignor=best
----
UnsupportedAssignor ServerAssignor best is not supported. Supported assignors: uniform, range.

beat member=a epoch=-2
----
InvalidRequest InstanceId can't be null.

beat member=a epoch=-3
----
InvalidRequest MemberEpoch is invalid.

beat member=a epoch=1
----
GroupIdNotFound Consumer group g not found.

beat member=a epoch=-1
----
GroupIdNotFound Group g not found.

beat member=a regex=a(
----
InvalidRegularExpression SubscribedTopicRegex `a(` is not a valid regular expression: missing closing ).

beat member=a topics=t assignor=range rack=r
----
a epoch=2 interval=5000 assignment=1:0+1+2+3
record g member a client=c host=/127.0.0.1 topics=t rebalance=60000 rack="r" regex="" assignor="range"
record g epoch 2 hash=-954534464913970981
record g target of a 1:0+1+2+3
record g target 2 at=1000000
record g current of a epoch=2 previous=0 state=0 assigned=1:0@2+1@2+2@2+3@2 revoking=-
timer g Session("a") at 45s

beat member=b topics=t epoch=1
----
UnknownMemberId Member b is not a member of group g.

beat member=b topics=t
----
b epoch=3 interval=5000 assignment=-
record g member b client=c host=/127.0.0.1 topics=t rebalance=60000 regex=""
record g epoch 3 hash=-954534464913970981
record g target of a 1:0+1
record g target of b 1:2+3
record g target 3 at=1000000
record g current of b epoch=3 previous=0 state=2 assigned=- revoking=-
timer g Session("b") at 45s

beat member=c topics=t
----
GroupMaxSizeReached The consumer group has reached its maximum capacity of 2 members.

beat member=a epoch=2 instance=i
----
UnknownMemberId Instance id i is unknown.

# Who is slow to give up partitions is removed.
beat member=a epoch=2
----
a epoch=2 interval=5000 assignment=1:0+1
record g current of a epoch=2 previous=2 state=1 assigned=1:0@2+1@2 revoking=1:2@2+3@2
timer g Rebalance("a") at 60s

wait ms=30000
----

beat member=a epoch=2
----
a epoch=2 interval=5000
timer g Session("a") at 75s

beat member=b epoch=3
----
b epoch=3 interval=5000
record g current of b epoch=3 previous=3 state=2 assigned=- revoking=-
timer g Session("b") at 75s

wait ms=30000
----
tombstone g current of a
tombstone g target of a
tombstone g member a
record g epoch 4 hash=-954534464913970981
no timer g Session("a")
no timer g Rebalance("a")

beat member=a epoch=2
----
UnknownMemberId Member a is not a member of group g.

beat member=b epoch=3
----
b epoch=4 interval=5000 assignment=1:0+1+2+3
record g target of b 1:0+1+2+3
record g target 4 at=1060000
record g current of b epoch=4 previous=3 state=0 assigned=1:0@4+1@4+2@4+3@4 revoking=-
timer g Session("b") at 105s

describe_consumer
----
Stable epoch=4 assignment_epoch=4 assignor=uniform
  member b epoch=4 client=c host=/127.0.0.1 topics=t regex="" instance="" rack="" assigned=1:0+1+2+3 target=1:0+1+2+3

restart
----

describe_consumer
----
Stable epoch=4 assignment_epoch=4 assignor=uniform
  member b epoch=4 client=c host=/127.0.0.1 topics=t regex="" instance="" rack="" assigned=1:0+1+2+3 target=1:0+1+2+3

beat member=b epoch=4 owned=1:0+1+2+3 topics=t rebalance=5000
----
b epoch=4 interval=5000 assignment=1:0+1+2+3
record g member b client=c host=/127.0.0.1 topics=t rebalance=5000 regex=""

# A member of the classic protocol whose subscription cannot be read.
beat group=j member=m topics=t
----
m epoch=2 interval=5000 assignment=1:0+1+2+3
record j member m client=c host=/127.0.0.1 topics=t rebalance=60000 regex=""
record j epoch 2 hash=-954534464913970981
record j target of m 1:0+1+2+3
record j target 2 at=1060000
record j current of m epoch=2 previous=0 state=0 assigned=1:0@2+1@2+2@2+3@2 revoking=-
timer j Session("m") at 105s

join as=91 group=j client=c member=x protocols=range:!bad v=9
----
reply to 91: join InconsistentGroupProtocol member=
