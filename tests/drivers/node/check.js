// node-postgres: simple and extended protocol, named statements, transactions, cancel by closing.
'use strict';
const assert = require('assert');
const { Client, Pool } = require('pg');

const checks = {
  async parameters(client) {
    for (let key = 1; key < 50; key++) {
      const { rows } = await client.query('SELECT v FROM kv WHERE k = $1', [key]);
      assert.deepStrictEqual(rows, [{ v: `value ${key}` }]);
    }
  },
  async named_statements(client) {
    for (let key = 1; key < 50; key++) {
      const { rows } = await client.query({ name: 'get', text: 'SELECT v FROM kv WHERE k = $1', values: [key] });
      assert.strictEqual(rows[0].v, `value ${key}`);
    }
  },
  async binary_results(client) {
    const { rows } = await client.query({ text: 'SELECT n FROM kv WHERE k = $1', values: [3], binary: true });
    assert.strictEqual(rows[0].n, 3);
  },
  async transactions(client) {
    await client.query('BEGIN');
    await client.query("UPDATE kv SET v = 'node' WHERE k = $1", [6]);
    await client.query('ROLLBACK');
    const { rows } = await client.query('SELECT v FROM kv WHERE k = 6');
    assert.strictEqual(rows[0].v, 'value 6');
  },
  async several_statements(client) {
    const results = await client.query('SELECT 1 AS a; SELECT v FROM kv WHERE k = 7');
    assert.strictEqual(results[1].rows[0].v, 'value 7');
  },
  async queued_queries(client) {
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, i) => client.query('SELECT v FROM kv WHERE k = $1', [i + 1])));
    answers.forEach(({ rows }, i) => assert.strictEqual(rows[0].v, `value ${i + 1}`));
  },
  async errors_leave_a_usable_connection(client) {
    await assert.rejects(client.query('INSERT INTO kv VALUES ($1)', [1]), { code: '23505', constraint: 'kv_pkey' });
    await assert.rejects(client.query('SELECT * FROM missing'), { code: '42P01' });
    assert.strictEqual((await client.query('SELECT 1 AS one')).rows[0].one, 1);
  },
  async cancel(client) {
    const { rows } = await client.query('SELECT pg_backend_pid() AS pid');
    assert.ok(rows[0].pid > 0);
    const canceller = new Client();
    setTimeout(() => canceller.cancel(client, client.activeQuery), 300);
    await assert.rejects(client.query('SELECT pg_sleep(30)'), { code: '57014' });
  },
  async notifications(client) {
    await client.query('LISTEN from_node');
    const heard = new Promise((resolve) => client.once('notification', resolve));
    const other = new Client();
    await other.connect();
    await other.query("NOTIFY from_node, 'hello'");
    await other.end();
    assert.strictEqual((await heard).payload, 'hello');
  },
  async pool() {
    const pool = new Pool({ max: 5 });
    const answers = await Promise.all(
      Array.from({ length: 60 }, (_, i) => pool.query('SELECT v FROM kv WHERE k = $1', [i + 1])));
    answers.forEach(({ rows }, i) => assert.strictEqual(rows[0].v, `value ${i + 1}`));
    await pool.end();
  },
};

(async () => {
  let failed = 0;
  for (const [name, run] of Object.entries(checks)) {
    const client = new Client();
    try {
      await client.connect();
      await run(client);
      console.log(`ok ${name}`);
    } catch (error) {
      failed = 1;
      console.log(`not ok ${name}: ${String(error.message).replace(/\n/g, ' ')}`);
    }
    await client.end().catch(() => {});
  }
  process.exit(failed);
})();
