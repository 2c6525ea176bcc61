// SPDX-License-Identifier: Apache-2.0
// Makes docs/call.png, the picture in the README: a page in a call with the native peer "studio".
//   tests/support/netns node tests/browser/screenshot.mjs [FILE.png]
import { chromium, joinPage, press, seen, serve, until } from './support.mjs';

const file = process.argv[2] ?? 'docs/call.png';
const studio = !process.env.WITHOUT_STUDIO;
const server = await serve(...(studio ? ['--studio'] : []));
const browser = await chromium();

try {
  const page = await joinPage(browser, server, { name: 'Ada' });
  await page.setViewport({ width: 1200, height: 640 });
  let other = 'studio';
  if (!studio) {
    other = 'Grace';
    await joinPage(browser, server, { name: other });
    await page.bringToFront();
  }
  await until(`${other} is seen`, async () => (await seen(page, other))?.framesDecoded > 60);
  await page.$eval('#text', (node) => { node.value = 'Hello, can you hear me?'; });
  await press(page, '#chat-form button');
  await new Promise((resolve) => { setTimeout(resolve, 2000); });
  await page.screenshot({ path: file });
} finally {
  await browser.close();
  await server.stop('SIGINT');
}
