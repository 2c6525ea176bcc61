// SPDX-License-Identifier: Apache-2.0
// `linnet peer`, or another program that speaks as it does, as a process: lines of JSON in and out.
import { spawn } from 'node:child_process';
import readline from 'node:readline';
import { binary } from './support.mjs';

/** Each line but the statistics that were asked for goes to `onLine`. */
export class LinnetPeer {
  errors = '';
  #stats = [];

  constructor(options, onLine, [program, ...words] = [binary(), 'peer']) {
    this.child = spawn(program, [...words, ...options], { stdio: ['pipe', 'pipe', 'pipe'] });
    this.exited = new Promise((resolve) => { this.child.once('exit', (code, signal) => resolve(code ?? signal)); });
    this.child.stdin.on('error', () => {});
    this.child.stderr.on('data', (data) => { this.errors += data; });
    readline.createInterface({ input: this.child.stdout }).on('line', (line) => {
      const object = JSON.parse(line);
      if (object.stats) this.#stats.shift()?.(object.stats);
      else onLine(object);
    });
  }

  send(object) { this.child.stdin.write(`${JSON.stringify(object)}\n`); }

  /** Of the one with this name, where there are many. */
  stats(name) {
    return new Promise((resolve) => {
      this.#stats.push(resolve);
      this.send({ cmd: 'stats', ...(name && { peer: name }) });
    });
  }

  /** Gives its exit code. */
  async close() {
    this.child.stdin.end();
    const timer = setTimeout(() => this.child.kill('SIGKILL'), 5000);
    const code = await this.exited;
    clearTimeout(timer);
    return code;
  }
}

/** Descriptions and candidates. */
export const isSignal = (object) => 'type' in object || 'candidate' in object;
