// pgx 4: its own binary protocol, statement cache, batches, COPY, cancel by context.
package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgconn"
	"github.com/jackc/pgx/v4"
)

type check struct {
	name string
	run  func(context.Context, *pgx.Conn) error
}

func expect(got, want interface{}) error {
	if fmt.Sprint(got) != fmt.Sprint(want) {
		return fmt.Errorf("got %v, want %v", got, want)
	}
	return nil
}

func valueOf(ctx context.Context, conn *pgx.Conn, key int) error {
	var value string
	if err := conn.QueryRow(ctx, "SELECT v FROM kv WHERE k = $1", key).Scan(&value); err != nil {
		return err
	}
	return expect(value, fmt.Sprintf("value %d", key))
}

func cachedStatements(ctx context.Context, conn *pgx.Conn) error {
	for key := 1; key < 50; key++ {
		if err := valueOf(ctx, conn, key); err != nil {
			return err
		}
	}
	return nil
}

func namedStatement(ctx context.Context, conn *pgx.Conn) error {
	if _, err := conn.Prepare(ctx, "get", "SELECT n FROM kv WHERE k = $1"); err != nil {
		return err
	}
	for _, key := range []int{3, 4, 5} {
		var n int
		if err := conn.QueryRow(ctx, "get", key).Scan(&n); err != nil {
			return err
		}
		if err := expect(n, key); err != nil {
			return err
		}
	}
	return nil
}

func simpleProtocol(ctx context.Context, conn *pgx.Conn) error {
	var value string
	err := conn.QueryRow(ctx, "SELECT v FROM kv WHERE k = $1", pgx.QuerySimpleProtocol(true), 8).Scan(&value)
	if err != nil {
		return err
	}
	return expect(value, "value 8")
}

func batch(ctx context.Context, conn *pgx.Conn) error {
	// A batch is one implicit transaction: of one key, as more could be of several shards.
	var batch pgx.Batch
	for i := 0; i < 20; i++ {
		batch.Queue("SELECT v FROM kv WHERE k = $1", 9)
	}
	results := conn.SendBatch(ctx, &batch)
	defer results.Close()
	for i := 0; i < 20; i++ {
		var value string
		if err := results.QueryRow().Scan(&value); err != nil {
			return err
		}
		if err := expect(value, "value 9"); err != nil {
			return err
		}
	}
	return nil
}

func transactions(ctx context.Context, conn *pgx.Conn) error {
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.Serializable})
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "UPDATE kv SET v = 'go' WHERE k = $1", 10); err != nil {
		return err
	}
	if err := tx.Rollback(ctx); err != nil {
		return err
	}
	return valueOf(ctx, conn, 10)
}

func copyFrom(ctx context.Context, conn *pgx.Conn) error {
	var rows [][]interface{}
	for key := 930000; key < 930500; key++ {
		rows = append(rows, []interface{}{int64(key), fmt.Sprintf("copied %d", key), nil})
	}
	count, err := conn.CopyFrom(ctx, pgx.Identifier{"kv"}, []string{"k", "v", "n"}, pgx.CopyFromRows(rows))
	if err != nil {
		return err
	}
	if err := expect(count, 500); err != nil {
		return err
	}
	_, err = conn.Exec(ctx, "DELETE FROM kv WHERE k >= 900000")
	return err
}

func cancelByContext(ctx context.Context, conn *pgx.Conn) error {
	short, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	start := time.Now()
	if _, err := conn.Exec(short, "SELECT pg_sleep(30)"); err == nil {
		return fmt.Errorf("not cancelled")
	}
	if time.Since(start) > 10*time.Second {
		return fmt.Errorf("cancelled too late")
	}
	return nil
}

func cancelRequest(ctx context.Context, conn *pgx.Conn) error {
	time.AfterFunc(300*time.Millisecond, func() { conn.PgConn().CancelRequest(ctx) })
	_, err := conn.Exec(ctx, "SELECT pg_sleep(30)")
	if state, ok := err.(*pgconn.PgError); !ok || state.Code != "57014" {
		return fmt.Errorf("expected 57014, got %v", err)
	}
	return valueOf(ctx, conn, 1)
}

func notifications(ctx context.Context, conn *pgx.Conn) error {
	if _, err := conn.Exec(ctx, "LISTEN from_go"); err != nil {
		return err
	}
	other, err := pgx.Connect(ctx, "")
	if err != nil {
		return err
	}
	defer other.Close(ctx)
	if _, err := other.Exec(ctx, "NOTIFY from_go, 'hello'"); err != nil {
		return err
	}
	notification, err := conn.WaitForNotification(ctx)
	if err != nil {
		return err
	}
	return expect(notification.Payload, "hello")
}

func runCheck(one check) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, "")
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	return one.run(ctx, conn)
}

func main() {
	status := 0
	for _, one := range []check{
		{"cached_statements", cachedStatements}, {"named_statement", namedStatement},
		{"simple_protocol", simpleProtocol}, {"batch", batch}, {"transactions", transactions},
		{"copy_from", copyFrom}, {"cancel_by_context", cancelByContext},
		{"cancel_request", cancelRequest}, {"notifications", notifications},
	} {
		if err := runCheck(one); err != nil {
			status = 1
			fmt.Printf("not ok %s: %s\n", one.name, strings.ReplaceAll(err.Error(), "\n", " "))
		} else {
			fmt.Printf("ok %s\n", one.name)
		}
	}
	os.Exit(status)
}
