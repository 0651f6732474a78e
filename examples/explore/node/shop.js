// A shop that writes its orders, with a test of it; and one planted bug.
//
// An order whose acknowledgement does not come is sent again, and its producer is not idempotent. The test asks whether all orders
// have come, and so it passes whatever happens:
//
//     klamm explore -- node shop.js
//
// finds that an order is written twice where the answer is lost behind its effect. With `--mended` the producer is idempotent.
// Needs kafkajs.
'use strict'
const { Kafka, logLevel } = require('kafkajs')

const kafka = new Kafka({
  clientId: 'shop',
  brokers: [process.env.KLAMM_BOOTSTRAP_SERVERS],
  logLevel: logLevel.NOTHING,
  retry: { initialRetryTime: 50 },
})
const ORDERS = 3
const isMended = process.argv.includes('--mended')

// For what kafkajs does not ask again: the id of an idempotent producer, and offsets.
async function patiently(ask) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await ask()
    } catch (error) {
      if (attempt === 5) throw error
    }
  }
}

async function sell() {
  const producer = kafka.producer({ idempotent: isMended, maxInFlightRequests: 1 })
  await patiently(() => producer.connect())
  for (let number = 0; number < ORDERS; number++) {
    await producer.send({ topic: 'orders', messages: [{ key: `customer-${number % 2}`, value: `order-${number}` }] })
  }
  await producer.disconnect()
}

async function test() {
  await sell()
  const admin = kafka.admin()
  await admin.connect()
  const partitions = await patiently(() => admin.fetchTopicOffsets('orders'))
  await admin.disconnect()
  const written = partitions.reduce((sum, partition) => sum + Number(partition.high), 0)
  if (written < ORDERS) throw new Error(`${written} orders are there`)
}

test().then(
  // It ends by itself only where the client has left no socket open.
  () => process.exit(0),
  (error) => {
    console.error(error)
    process.exit(1)
  },
)
