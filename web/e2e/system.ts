import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { freePort, type Provider, startProvider } from './provider.ts';

const root = join(import.meta.dirname, '../..');

/** The whole system in one process, a git server, and a repository to be documented. */
export interface System {
  url: string;
  /** The administrator's token. */
  token: string;
  /** The address of the repository. */
  repository: string;
  /** A second, very small one. */
  small: string;
  /** Where both are served, without an end. */
  host: string;
  /** Has the host say nothing until the work is done, so that a run that needs it is still under way. */
  whileHostIsSilent: (work: () => Promise<void>) => Promise<void>;
  /** Who lets people in besides tokens, if that was asked for. */
  provider?: Provider;
  /** What the system has said. */
  log: () => string;
  /** Makes a user of a role and answers a token of it. */
  tokenOf: (role: string) => string;
  stop: () => Promise<void>;
}

function program(name: string): string {
  const folder = process.env.E2E_PROGRAMS;
  if (!folder) throw new Error('E2E_PROGRAMS names no folder with the built programs: run `make test`');
  return join(folder, name);
}

/** Starts a program and waits until a line of its output fits. */
async function start(name: string, args: string[], env: NodeJS.ProcessEnv, line: RegExp) {
  const child = spawn(program(name), args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  const found = await new Promise<RegExpExecArray>((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`${name} does not start:\n${log}`)), 120_000);
    const read = (bytes: Buffer) => {
      log += bytes.toString();
      const match = line.exec(log);
      if (match) {
        clearTimeout(late);
        resolve(match);
      }
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`${name} ended with ${code}:\n${log}`)));
  });
  return { child, found, log: () => log };
}

async function stopped(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  const late = setTimeout(() => child.kill('SIGKILL'), 20_000);
  await ended;
  clearTimeout(late);
}

function write(folder: string, path: string, text: string): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
}

/** A program of two modules that use each other: just enough for a diagram. */
function smallRepository(folder: string): void {
  const work = join(folder, 'small');
  write(work, 'README.md', '# Kettle\n\nKettle boils water and keeps it warm.\n');
  write(work, 'Cargo.toml', '[package]\nname = "kettle"\nversion = "0.1.0"\nedition = "2021"\n');
  write(work, 'src/lib.rs', '//! Boils water.\n\npub mod heat;\npub mod water;\n');
  write(
    work,
    'src/heat/mod.rs',
    '//! Heat.\n\nuse crate::water::Water;\n\n/// Brings water to a temperature.\npub fn boil(water: &mut Water) {\n    water.degrees = 100;\n}\n',
  );
  write(
    work,
    'src/water/mod.rs',
    '//! Water.\n\n/// As much as there is, as warm as it is.\npub struct Water {\n    pub degrees: u8,\n}\n',
  );
  commit(work, join(folder, 'www/kettle.git'));
}

/** A small program with enough files that its stages can be watched. */
function repository(folder: string): void {
  const work = join(folder, 'work');
  write(
    work,
    'README.md',
    '# Roastery\n\nRoastery keeps the curve of every roast, and says when the beans are done.\n\n' +
      '<script>document.title = "taken"</script>\n\n![remote](https://elsewhere.example/pixel.png)\n',
  );
  write(work, 'Cargo.toml', '[package]\nname = "roastery"\nversion = "0.3.0"\nedition = "2021"\nlicense = "MIT"\n');
  write(
    work,
    'src/lib.rs',
    '//! Keeps the curve of every roast.\n\npub mod curve;\npub mod origin;\n\npub use curve::Curve;\n\n' +
      '/// How dark the beans are to be.\n#[derive(Debug, Clone, Copy, PartialEq)]\npub enum Roast {\n    Light,\n    Medium,\n    Dark,\n}\n\n' +
      '/// Waits longer after each failed attempt to read the probe.\npub fn retry_delay(attempt: u32) -> u64 {\n    2u64.saturating_pow(attempt).min(60)\n}\n',
  );
  write(
    work,
    'src/curve.rs',
    '//! Temperatures over time.\n\nuse crate::Roast;\n\n/// Temperatures in degrees, one for each second.\n#[derive(Debug, Default)]\npub struct Curve {\n    points: Vec<f64>,\n}\n\n' +
      'impl Curve {\n    /// Adds what the probe has read.\n    pub fn push(&mut self, degrees: f64) {\n        self.points.push(degrees);\n    }\n\n' +
      '    /// Whether the beans are done.\n    pub fn is_done(&self, roast: Roast) -> bool {\n        let target = match roast {\n            Roast::Light => 205.0,\n            Roast::Medium => 215.0,\n            Roast::Dark => 230.0,\n        };\n        self.points.last().is_some_and(|last| *last >= target)\n    }\n}\n',
  );
  write(
    work,
    'src/origin.rs',
    '//! Where beans come from.\n\n/// A country and its harvest.\npub struct Origin {\n    pub country: String,\n    pub harvest: u16,\n}\n',
  );
  for (let n = 0; n < 240; n += 1) {
    const folder = `tools/batch_${String(Math.floor(n / 24)).padStart(2, '0')}`;
    const body = Array.from({ length: 25 }, (_, k) => `    total += weight_${k} * ${k + 1}  # gram`).join('\n');
    const parameters = Array.from({ length: 25 }, (_, k) => `weight_${k}`).join(', ');
    write(
      work,
      `${folder}/sort_${n}.py`,
      `"""Sorts lot ${n}."""\n\n\ndef weigh_${n}(${parameters}):\n    """The weight of lot ${n}."""\n    total = 0\n${body}\n    return total\n`,
    );
  }
  commit(work, join(folder, 'www/roastery.git'));
}

function commit(work: string, bare: string): void {
  const git = (...args: string[]) =>
    execFileSync('git', ['-C', work, '-c', 'user.name=Test', '-c', 'user.email=test@localhost', ...args], {
      stdio: 'pipe',
    });
  git('init', '--quiet', '--initial-branch=main');
  git('add', '.');
  git('commit', '--quiet', '-m', 'Everything');
  execFileSync('git', ['clone', '--quiet', '--bare', '--no-hardlinks', work, bare], { stdio: 'pipe' });
}

/** Users come from a provider; the all-in-one has none, so one is written into its database. */
function addUser(data: string, role: string): string {
  const url = readFileSync(join(data, 'identities/gateway.database-url'), 'utf8').trim();
  const secret = `cc_${randomBytes(48)
    .toString('base64')
    .replace(/[^A-Za-z0-9]/g, '')
    .padEnd(43, 'x')
    .slice(0, 43)}`;
  const hash = createHash('sha256').update(secret).digest('hex');
  const [user, token] = [randomUUID(), randomUUID()];
  const sql = `
    insert into users (user_id, workspace_id, display_name, role)
      select '${user}', workspace_id, 'Test ${role}', '${role}' from workspaces limit 1;
    insert into tokens (token_id, workspace_id, user_id, name, secret_hash, expires_at)
      select '${token}', workspace_id, user_id, 'test', decode('${hash}', 'hex'), now() + interval '1 day'
      from users where user_id = '${user}';`;
  const tools = process.env.CAFFEINE_TOOLS ?? join(root, '.tools');
  const bin = join(tools, 'postgres/dist/18/bin');
  const env = { ...process.env, LD_LIBRARY_PATH: join(bin, '../lib') };
  execFileSync(join(bin, 'psql'), ['--quiet', '-v', 'ON_ERROR_STOP=1', url, '-c', sql], { env, stdio: 'pipe' });
  return secret;
}

export async function startSystem({ withProvider = false } = {}): Promise<System> {
  const folder = mkdtempSync(join(tmpdir(), 'caffeine-web-'));
  // The database does not run as root and has to reach its folder.
  chmodSync(folder, 0o755);
  const data = join(folder, 'data');
  repository(folder);
  smallRepository(folder);
  const config = join(folder, 'gitconfig');
  writeFileSync(config, '[safe]\n\tdirectory = *\n');
  const git = await start(
    'caffeine-git-http',
    [join(folder, 'www')],
    { GIT_CONFIG_GLOBAL: config },
    /^(http:\/\/\S+)/m,
  );
  const address = git.found[1] ?? '';
  const tools = process.env.CAFFEINE_TOOLS ?? join(root, '.tools');
  const provider = withProvider ? await startProvider(tools) : undefined;
  // A provider sends people back to an address that is known before the system has one.
  const listen = `127.0.0.1:${provider ? await freePort() : 0}`;
  const args = ['up', '--data', data, '--listen', listen, '--allow-host', address.replace('http://', '')];
  // The journey looks at more pages in a minute than a person.
  const env: NodeJS.ProcessEnv = {
    CAFFEINE_TOOLS: tools,
    CAFFEINE_GATEWAY_RATE_READ: '0',
    CAFFEINE_GATEWAY_RATE_WRITE: '0',
  };
  if (provider) {
    env.CAFFEINE_GATEWAY_PUBLIC_URL = `http://${listen}`;
    env.CAFFEINE_GATEWAY_OIDC_ISSUER = provider.issuer;
    env.CAFFEINE_GATEWAY_OIDC_CLIENT_ID = 'caffeine';
    env.CAFFEINE_GATEWAY_OIDC_CLIENT_SECRET = 'a secret of the tests';
    env.CAFFEINE_GATEWAY_OIDC_NAME = 'Corp';
  }
  const up = await start('caffeine', args, env, /^ *web +(http:\/\/[^/\s]+)/m).catch(async (error) => {
    provider?.stop();
    await stopped(git.child);
    throw error;
  });
  return {
    url: up.found[1] ?? '',
    token: readFileSync(join(data, 'admin-token'), 'utf8').trim(),
    repository: `${address}/roastery.git`,
    small: `${address}/kettle.git`,
    host: address,
    whileHostIsSilent: async (work) => {
      git.child.kill('SIGSTOP');
      await work().finally(() => git.child.kill('SIGCONT'));
    },
    provider,
    log: up.log,
    tokenOf: (role) => addUser(data, role),
    stop: async () => {
      provider?.stop();
      await stopped(up.child);
      await stopped(git.child);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
