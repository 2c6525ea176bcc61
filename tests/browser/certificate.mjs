// SPDX-License-Identifier: Apache-2.0
// A certificate for servers of the tests, and browsers that trust who signed it: not by a switch that lets any
// certificate pass, but by the store where an operator would put his own authority.
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];

function quietly(program, ...words) {
  execFileSync(program, words, { stdio: ['ignore', 'ignore', 'pipe'] });
}

/** An authority, and what it signed for `names` (subjectAltName): paths of PEM files. */
export async function makeCertificate(names) {
  const folder = await mkdtemp(path.join(tmpdir(), 'linnet-certificate-'));
  const file = (name) => path.join(folder, name);
  const made = { authority: file('authority.pem'), certificate: file('certificate.pem'), key: file('key.pem') };
  writeFileSync(file('extensions'), `subjectAltName=${names}\nextendedKeyUsage=serverAuth\nbasicConstraints=CA:FALSE\n`);
  quietly('openssl', 'req', '-x509', ...NEW_KEY, '-subj', '/CN=authority of a test', '-keyout', file('authority.key'), '-out', made.authority);
  quietly('openssl', 'req', ...NEW_KEY.slice(0, -2), '-subj', '/CN=turn.test', '-keyout', made.key, '-out', file('request'));
  quietly('openssl', 'x509', '-req', '-in', file('request'), '-CA', made.authority, '-CAkey', file('authority.key'), '-CAcreateserial',
    '-days', '2', '-extfile', file('extensions'), '-out', made.certificate);
  return { ...made, remove: () => rm(folder, { recursive: true, force: true }) };
}

/** A database of certificates as both browsers keep one, with the authority in it. */
export function trust(authority, folder) {
  mkdirSync(folder, { recursive: true });
  quietly('certutil', '-N', '-d', `sql:${folder}`, '--empty-password');
  quietly('certutil', '-A', '-d', `sql:${folder}`, '-n', 'authority of a test', '-t', 'C,,', '-i', authority);
}
