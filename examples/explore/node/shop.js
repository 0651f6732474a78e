// A shop that writes its orders, with a test of it; and one planted bug.
//
// An order whose acknowledgement does not come is sent again, and its producer is not idempotent. The test asks whether each order
// has come, and so it passes whatever happens:
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

async function sell() {
  const producer = kafka.producer({ idempotent: isMended, maxInFlightRequests: 1 })
  await producer.connect()
  for (let number = 0; number < ORDERS; number++) {
    await producer.send({ topic: 'orders', messages: [{ key: `customer-${number % 2}`, value: `order-${number}` }] })
  }
  await producer.disconnect()
}

async function test() {
  await sell()
  const consumer = kafka.consumer({ groupId: 'test' })
  await consumer.connect()
  await consumer.subscribe({ topic: 'orders', fromBeginning: true })
  const seen = new Set()
  await new Promise((resolve) => {
    const eachMessage = async ({ message }) => {
      seen.add(message.value.toString())
      if (seen.size === ORDERS) resolve()
    }
    consumer.run({ eachMessage })
  })
  await consumer.disconnect()
}

// It ends by itself only where the client has left no socket open.
test().then(
  () => process.exit(0),
  (error) => {
    console.error(error)
    process.exit(1)
  },
)
