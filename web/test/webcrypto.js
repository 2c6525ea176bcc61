// SPDX-License-Identifier: Apache-2.0
// WebCrypto where pages have it: Node 18, which Debian 12 has, gives it as a module only.
import { webcrypto } from 'node:crypto';

globalThis.crypto ??= webcrypto;
