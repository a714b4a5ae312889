// App asks a MySQL server: it takes what test/cluster/app takes, and tells what that
// tells, so that a test asks a database as it asks anything else. It is a module of its
// own, because nothing else of the tree speaks to a database.
//
//	app wait
//	app load < flows.json
package main

import (
	"bufio"
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/go-sql-driver/mysql"
)

// flow is a load.Flow of test/cluster/app: Burst transactions on one connection, then
// another one.
type flow struct {
	Name    string
	Request struct{ Address string }
	Every   time.Duration
	Burst   int
}

// tally is a load.Tally of test/cluster/app.
type tally struct {
	Name                           string
	Sent, Reached, Refused, Broken int
	Examples                       []example
}

type example struct {
	At         time.Time
	Kind, What string
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "app:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 1 && args[0] == "wait":
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
		defer stop()
		<-ctx.Done()
		return nil
	case len(args) == 1 && args[0] == "load":
		return burden(bufio.NewReader(os.Stdin), os.Stdout)
	}
	return errors.New("usage: app wait, app load")
}

func burden(in io.Reader, out io.Writer) error {
	if err := mysql.SetLogger(log.New(io.Discard, "", 0)); err != nil {
		return err
	}
	var flows []flow
	if err := json.NewDecoder(in).Decode(&flows); err != nil {
		return err
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(io.Discard, in) // however it ends, it has ended
	}()
	tallies := make([]tally, len(flows))
	var wait sync.WaitGroup
	for i, f := range flows {
		wait.Go(func() { tallies[i] = f.run(i, done) })
	}
	wait.Wait()
	return json.NewEncoder(out).Encode(tallies)
}

func (f flow) run(number int, done <-chan struct{}) tally {
	t := tally{Name: f.Name}
	tick := time.NewTicker(max(f.Every, 50*time.Millisecond))
	defer tick.Stop()
	for {
		f.burst(&t, number)
		select {
		case <-done:
			return t
		case <-tick.C:
		}
	}
}

// burst is transactions on one connection: a row is written, read and taken away again.
func (f flow) burst(t *tally, number int) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	db, err := sql.Open("mysql", "root@tcp("+f.Request.Address+")/?timeout=5s")
	if err != nil {
		t.add(err)
		return
	}
	defer db.Close()
	conn, err := db.Conn(ctx)
	if err != nil {
		t.add(err)
		return
	}
	defer conn.Close()
	for range max(1, f.Burst) {
		err := transaction(ctx, conn, fmt.Sprintf("shop%d", number))
		t.add(err)
		if err != nil {
			return
		}
	}
}

func transaction(ctx context.Context, conn *sql.Conn, schema string) error {
	for _, statement := range []string{
		"CREATE DATABASE IF NOT EXISTS " + schema, "CREATE TABLE IF NOT EXISTS " + schema + ".books (title VARCHAR(40)) ENGINE=InnoDB",
	} {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "INSERT INTO "+schema+".books VALUES (?)", "The Trial"); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	var n int
	if err := tx.QueryRowContext(ctx, "SELECT COUNT(*) FROM "+schema+".books").Scan(&n); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	if n != 1 {
		return errors.Join(fmt.Errorf("%d rows are there, want the one of this transaction", n), tx.Rollback())
	}
	return tx.Rollback()
}

func (t *tally) add(err error) {
	t.Sent++
	kind, n, what := "reached", &t.Reached, ""
	switch {
	case err == nil:
	case closed(err):
		kind, n, what = "refused", &t.Refused, err.Error()
	default:
		kind, n, what = "broken", &t.Broken, err.Error()
	}
	if *n++; *n <= 5 {
		t.Examples = append(t.Examples, example{time.Now(), kind, what})
	}
}

// closed tells of a connection that was closed before the server greeted, as a proxy
// refuses.
func closed(err error) bool {
	var operation *net.OpError
	return errors.Is(err, mysql.ErrInvalidConn) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.EOF) || errors.As(err, &operation) && errors.Is(operation.Err, syscall.ECONNRESET)
}
