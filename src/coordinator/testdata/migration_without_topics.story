topic name=t partitions=2
----

consumer_settings assignment_interval_ms=0
----

settings initial_delay_ms=0
----

# The leader of the classic protocol has assigned nothing: it did not know of the topic yet.
join as=1 client=a protocols=range:t v=3
----
record GroupMetadata(GroupMetadataKey { group: "g" }) v3 type="" generation=0 protocol=null leader=null since=1000000
timer g Session("a#1") at 300s
timer g Join at 0s

wait ms=0
----
reply to 1: join None member=a#1 generation=1 type=consumer protocol=range leader=a#1
  member a#1 metadata=[t]
no timer g Join
timer g Session("a#1") at 10s
timer g Sync at 60s

sync as=2 member=a#1 generation=1 assignments=a#1:
----
record GroupMetadata(GroupMetadataKey { group: "g" }) v3 type="consumer" generation=1 protocol=range leader=a#1 since=1000000
  member a#1 client=a host=/127.0.0.1 rebalance=60000 session=10000 metadata=[t] assignment=-
reply to 2: sync None type=consumer protocol=range assignment=-
no timer g Sync

# Whoever comes subscribes to nothing. The target is computed nevertheless (Kafka: only at the next change).
beat member=n topics=
----
n epoch=2 interval=5000 assignment=-
tombstone GroupMetadata(GroupMetadataKey { group: "g" })
record g member a#1 client=a host=/127.0.0.1 topics=t rebalance=60000 regex="" classic session=10000 protocols=range:[t]
record g epoch 1 hash=129981052098570288
record g target of a#1 -
record g target 1 at=0
record g current of a#1 epoch=1 previous=1 state=0 assigned=- revoking=-
record g member n client=c host=/127.0.0.1 topics= rebalance=60000 regex=""
record g epoch 2 hash=129981052098570288
record g target of a#1 1:0+1
record g target of n -
record g target 2 at=1000000
record g current of n epoch=2 previous=0 state=0 assigned=- revoking=-
no timer g Session("a#1")
timer g Session("a#1") at 10s
timer g Session("n") at 45s

join as=3 client=a member=a#1 protocols=range:t v=3
----
record g current of a#1 epoch=2 previous=1 state=0 assigned=1:0@2+1@2 revoking=-
reply to 3: join None member=a#1 generation=2 type=consumer protocol=range leader=
timer g Sync("a#1") at 60s

describe_consumer
----
Stable epoch=2 assignment_epoch=2 assignor=uniform
  member a#1 epoch=2 client=a host=/127.0.0.1 topics=t regex="" instance="" rack="" assigned=1:0+1 target=1:0+1 classic
  member n epoch=2 client=c host=/127.0.0.1 topics= regex="" instance="" rack="" assigned=- target=-
