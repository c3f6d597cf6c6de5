// What node-oidc-provider keeps, in PostgreSQL: one table, a prepared statement for each verb.
import pg from "pg";

const CONNECTIONS = 10;
const pool = process.env.DATABASE_URL
  ? new pg.Pool({ connectionString: process.env.DATABASE_URL, max: CONNECTIONS })
  : null;

export async function prepare() {
  await pool.query(`
    CREATE TABLE IF NOT EXISTS kept (
      kind text NOT NULL,
      id text NOT NULL,
      payload jsonb NOT NULL,
      grant_id text,
      uid text,
      user_code text,
      expires_at timestamptz,
      consumed_at timestamptz,
      PRIMARY KEY (kind, id)
    );
    CREATE INDEX IF NOT EXISTS kept_grant ON kept (grant_id) WHERE grant_id IS NOT NULL;
    CREATE INDEX IF NOT EXISTS kept_uid ON kept (uid) WHERE uid IS NOT NULL;
    CREATE INDEX IF NOT EXISTS kept_user_code ON kept (user_code) WHERE user_code IS NOT NULL;
  `);
}

const FOUND = "SELECT payload, consumed_at FROM kept WHERE kind = $1 AND";
const LIVE = "AND (expires_at IS NULL OR expires_at > now())";

function read(result) {
  const row = result.rows[0];
  if (!row) return undefined;
  if (!row.consumed_at) return row.payload;
  return { ...row.payload, consumed: Math.floor(row.consumed_at.getTime() / 1000) };
}

export class PostgresAdapter {
  constructor(kind) {
    this.kind = kind;
  }

  async upsert(id, payload, expiresIn) {
    const until = expiresIn ? new Date(Date.now() + expiresIn * 1000) : null;
    await pool.query({
      name: "upsert",
      text: `INSERT INTO kept (kind, id, payload, grant_id, uid, user_code, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (kind, id) DO UPDATE SET payload = excluded.payload,
          grant_id = excluded.grant_id, uid = excluded.uid, user_code = excluded.user_code,
          expires_at = excluded.expires_at`,
      values: [this.kind, id, payload, payload.grantId, payload.uid, payload.userCode, until],
    });
  }

  async find(id) {
    const text = `${FOUND} id = $2 ${LIVE}`;
    return read(await pool.query({ name: "find", text, values: [this.kind, id] }));
  }

  async findByUid(uid) {
    const text = `${FOUND} uid = $2 ${LIVE}`;
    return read(await pool.query({ name: "find_by_uid", text, values: [this.kind, uid] }));
  }

  async findByUserCode(code) {
    const text = `${FOUND} user_code = $2 ${LIVE}`;
    return read(await pool.query({ name: "find_by_code", text, values: [this.kind, code] }));
  }

  async consume(id) {
    const text = "UPDATE kept SET consumed_at = now() WHERE kind = $1 AND id = $2";
    await pool.query({ name: "consume", text, values: [this.kind, id] });
  }

  async destroy(id) {
    const text = "DELETE FROM kept WHERE kind = $1 AND id = $2";
    await pool.query({ name: "destroy", text, values: [this.kind, id] });
  }

  async revokeByGrantId(grantId) {
    await pool.query({ name: "revoke", text: "DELETE FROM kept WHERE grant_id = $1", values: [grantId] });
  }
}
