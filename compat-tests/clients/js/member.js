// Members of groups in JavaScript: `member.js kafkajs|platformatic BOOTSTRAP JSON`. Each prints what it is assigned and which
// records it gets, commits what it has printed, and leaves when its input ends. src/member.rs says what the JSON holds and
// what is printed.
'use strict'

const print = (event) => process.stdout.write(JSON.stringify(event) + '\n')

const ends = new Promise((resolve) => {
  process.stdin.on('end', resolve)
  process.stdin.resume()
})

/** kafkajs brings an assigner of a name of its own only; this is everybody's `range`, in the form that it documents. */
const range = (AssignerProtocol) => ({ cluster }) => ({
  name: 'range',
  version: 1,
  async assign({ members }) {
    const decode = (member) => AssignerProtocol.MemberMetadata.decode(member.memberMetadata)
    const all = members.map((m) => ({ id: m.memberId, topics: decode(m).topics })).sort((a, b) => (a.id < b.id ? -1 : 1))
    const assignment = Object.fromEntries(all.map((m) => [m.id, {}]))
    for (const topic of new Set(all.flatMap((m) => m.topics))) {
      const takers = all.filter((m) => m.topics.includes(topic))
      const partitions = cluster.findTopicPartitionMetadata(topic).map((p) => p.partitionId).sort((a, b) => a - b)
      takers.forEach((m, i) => {
        const begin = (n) => n * Math.floor(partitions.length / takers.length) + Math.min(n, partitions.length % takers.length)
        assignment[m.id][topic] = partitions.slice(begin(i), begin(i + 1))
      })
    }
    return Object.entries(assignment).map(([memberId, topics]) => ({
      memberId,
      memberAssignment: AssignerProtocol.MemberAssignment.encode({ version: 0, assignment: topics, userData: Buffer.alloc(0) }),
    }))
  },
  protocol({ topics }) {
    const metadata = AssignerProtocol.MemberMetadata.encode({ version: 0, topics, userData: Buffer.alloc(0) })
    return { name: 'range', metadata }
  },
})

async function kafkajs(bootstrap, spec) {
  const { Kafka, logLevel, AssignerProtocol, PartitionAssigners } = require('kafkajs')
  const kafka = new Kafka({ clientId: 'klamm-compat', brokers: [bootstrap], logLevel: logLevel.ERROR, retry: { retries: 10 } })
  const consumer = kafka.consumer({
    groupId: spec.group,
    sessionTimeout: spec.session_ms,
    rebalanceTimeout: 10000,
    heartbeatInterval: 500,
    metadataMaxAge: 1000,
    maxWaitTimeInMs: 200,
    partitionAssigners: [spec.assignor === 'range' ? range(AssignerProtocol) : PartitionAssigners.roundRobin],
  })
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    const names = Object.entries(payload.memberAssignment).flatMap(([topic, ps]) => ps.map((p) => `${topic}-${p}`))
    print({ e: 'assigned', p: names.sort() })
  })
  await consumer.connect()
  await consumer.subscribe({ topics: [spec.pattern ? new RegExp(spec.pattern) : spec.topic], fromBeginning: true })
  await consumer.run({
    autoCommit: false,
    eachBatchAutoResolve: true,
    eachBatch: async ({ batch }) => {
      if (batch.messages.length === 0) return
      print({ e: 'records', r: batch.messages.map((m) => `${batch.topic}-${batch.partition}@${m.offset}`) })
      const offset = String(Number(batch.lastOffset()) + 1)
      await consumer.commitOffsets([{ topic: batch.topic, partition: batch.partition, offset }])
    },
  })
  await ends
  await consumer.disconnect()
}

async function platformatic(bootstrap, spec) {
  const { Consumer } = require('@platformatic/kafka')
  const common = { groupId: spec.group, clientId: 'klamm-compat', bootstrapBrokers: [bootstrap], metadataMaxAge: 1000 }
  const rebalanceTimeout = Math.max(spec.session_ms, 10000)
  const classic = { groupProtocol: 'classic', sessionTimeout: spec.session_ms, rebalanceTimeout, heartbeatInterval: 500 }
  const modern = { groupProtocol: 'consumer', groupRemoteAssignor: spec.assignor }
  const own = spec.protocol === 'consumer' ? modern : { ...classic, protocols: [{ name: spec.assignor, version: 1 }] }
  const instance = spec.instance ? { groupInstanceId: spec.instance } : {}
  const consumer = new Consumer({ ...common, ...own, ...instance, autocommit: false, maxWaitTime: 200 })
  let shown = null
  const show = () => {
    const names = (consumer.assignments ?? []).flatMap(({ topic, partitions }) => partitions.map((p) => `${topic}-${p}`))
    const text = JSON.stringify(names.sort())
    if (text !== shown) print({ e: 'assigned', p: names })
    shown = text
  }
  consumer.on('consumer:group:join', show)
  const watch = setInterval(show, 100)
  const stream = await consumer.consume({ topics: [spec.topic], mode: 'committed', fallbackMode: 'earliest', autocommit: false })
  ends.then(() => stream.close())
  for await (const message of stream) {
    print({ e: 'records', r: [`${message.topic}-${message.partition}@${message.offset}`] })
    await message.commit()
  }
  clearInterval(watch)
  await consumer.close(true)
}

async function main() {
  const [library, bootstrap, text] = process.argv.slice(2)
  await { kafkajs, platformatic }[library](bootstrap, JSON.parse(text))
  print({ e: 'left' })
  process.exit(0)
}

main().catch((error) => {
  console.error(require('util').inspect(error, { depth: 6 }))
  process.exit(1)
})
