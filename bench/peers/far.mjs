// SPDX-License-Identifier: Apache-2.0
// The far end of `linnet bench mixed`: takes orders from standard input and answers on standard output, a line of
// JSON each (bench/mixed.c tells them). A stack gives
//   answer(sdp)      its answer to our offer, with its candidates in it
//   begin(bytes)     counts anew what it receives, and sends messages of so many bytes (0: none)
//   received()       bytes since then
//   cpuSeconds()     the processor time of all its processes
import { createInterface } from 'node:readline';

const tell = (report) => console.log(JSON.stringify(report));

export async function serveFar({ answer, begin, received, cpuSeconds }) {
  let from = 0, cpu = 0;
  for await (const line of createInterface({ input: process.stdin })) {
    const order = JSON.parse(line);
    if (order.offer) {
      tell({ answer: await answer(order.offer) });
    } else if (order.send !== undefined) {
      from = performance.now();
      cpu = cpuSeconds();
      await begin(order.send);
      tell({ begun: true });
    } else if (order.stop) {
      const seconds = (performance.now() - from) / 1000, used = cpuSeconds() - cpu;
      tell({ bytes: await received(), seconds, cpu_s: used });
    }
  }
}
