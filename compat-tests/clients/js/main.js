// kafkajs as a program: `produce BOOTSTRAP TOPIC CODEC` reads records as JSON lines and writes them to partition 0,
// `consume BOOTSTRAP TOPIC COUNT` reads partition 0 from its beginning and prints them. kafkajs offers consuming only
// through a group; this goes one level below its consumer, to the cluster and broker objects that the consumer uses.
'use strict'
const readline = require('readline')
const { Kafka, CompressionTypes, logLevel } = require('kafkajs')

const bytes = (text) => (text === null || text === undefined ? null : Buffer.from(text, 'base64'))
const text = (buffer) => (buffer === null || buffer === undefined ? null : buffer.toString('base64'))

function kafka(bootstrap) {
  return new Kafka({ clientId: 'klamm-compat', brokers: [bootstrap], logLevel: logLevel.ERROR, retry: { retries: 5 } })
}

async function readRecords() {
  const messages = []
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const r = JSON.parse(line)
    const headers = {}
    for (const { n, v } of r.h) headers[n] = bytes(v)
    const message = { key: bytes(r.k), value: bytes(r.v), headers, partition: 0 }
    if (r.t !== null) message.timestamp = String(r.t)
    messages.push(message)
  }
  return messages
}

async function produce(bootstrap, topic, codec) {
  const compression = { none: CompressionTypes.None, gzip: CompressionTypes.GZIP }[codec]
  if (compression === undefined) throw new Error(`kafkajs itself has no codec ${codec}`)
  const messages = await readRecords()
  const producer = kafka(bootstrap).producer({ idempotent: true, maxInFlightRequests: 1 })
  await producer.connect()
  const atATime = 500
  for (let i = 0; i < messages.length; i += atATime) {
    await producer.send({ topic, compression, acks: -1, messages: messages.slice(i, i + atATime) })
  }
  await producer.disconnect()
}

function newCluster(bootstrap) {
  const client = kafka(bootstrap)
  for (const symbol of Object.getOwnPropertySymbols(client)) {
    if (String(symbol).includes('createCluster')) return client[symbol]({ isolationLevel: 0, metadataMaxAge: 300000 })
  }
  const symbols = Object.getOwnPropertySymbols(client).map(String)
  throw new Error(`this kafkajs cannot make a cluster: ${symbols}`)
}

async function consume(bootstrap, topic, count) {
  const cluster = newCluster(bootstrap)
  await cluster.connect()
  await cluster.addTargetTopic(topic)
  const leaders = cluster.findLeaderForPartitions(topic, [0])
  const broker = await cluster.findBroker({ nodeId: Object.keys(leaders)[0] })
  const out = []
  let offset = 0
  while (out.length < count) {
    const partitions = [{ partition: 0, fetchOffset: String(offset), maxBytes: 1 << 20 }]
    const answer = await broker.fetch({
      replicaId: -1, isolationLevel: 0, maxWaitTime: 500, minBytes: 1, maxBytes: 10 << 20, topics: [{ topic, partitions }],
    })
    for (const message of answer.responses[0].partitions[0].messages) {
      if (Number(message.offset) < offset) continue
      offset = Number(message.offset) + 1
      const h = Object.entries(message.headers).map(([n, v]) => ({ n, v: text(v) }))
      out.push(JSON.stringify({ t: Number(message.timestamp), k: text(message.key), v: text(message.value), h }))
    }
  }
  process.stdout.write(out.join('\n') + '\n')
  await cluster.disconnect()
}

async function main() {
  const [mode, bootstrap, topic, last] = process.argv.slice(2)
  if (mode === 'produce') await produce(bootstrap, topic, last)
  else if (mode === 'consume') await consume(bootstrap, topic, Number(last))
  else throw new Error('usage: produce BOOTSTRAP TOPIC CODEC | consume BOOTSTRAP TOPIC COUNT')
}

main().catch((error) => {
  console.error('kafkajs:', error)
  process.exit(1)
})
