// App is the workload and the client of tests on a cluster: it answers on the
// ports it is given, as the lab's echo does, and it calls.
//
//	app serve 8080/http 9000/grpc 3306/tcp-server-first 9100/health 8443/healths
//	app call http://shop.shop:80/books
//	app ask 100 GET http://shop.shop:80/books 'client: me'
//	app send < batch.json
//	app load < flows.json
//	app load FLOWS
//	app end
//	app hold < connections.json
//	app wait
package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/lab/echo"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "app:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) > 1 && args[0] == "serve":
		return serve(args[1:])
	case len(args) > 1 && args[0] == "call":
		return call(args[1:])
	case len(args) > 3 && args[0] == "ask":
		return ask(os.Stdout, args[1:])
	case len(args) == 1 && args[0] == "send":
		return send(os.Stdin, os.Stdout)
	case len(args) == 1 && args[0] == "load":
		return burden(os.Stdin, os.Stdout)
	case len(args) == 2 && args[0] == "load":
		return alone(args[1], os.Stdout)
	case len(args) == 1 && args[0] == "end":
		return syscall.Kill(1, syscall.SIGTERM) // the container's first process
	case len(args) == 1 && args[0] == "hold":
		return keep(os.Stdin, os.Stdout)
	case len(args) == 1 && args[0] == "wait":
		return wait()
	}
	return fmt.Errorf("usage: app serve PORT/PROTOCOL..., app call URL..., app ask N METHOD URL [NAME: VALUE]..., app send, app load [FLOWS], app end, app hold, app wait")
}

func serve(words []string) error {
	var ports []echo.Port
	for _, w := range words {
		number, protocol, _ := strings.Cut(w, "/")
		n, err := strconv.ParseUint(number, 10, 16)
		if err != nil {
			return fmt.Errorf("%q is not PORT/PROTOCOL", w)
		}
		if serve := health[protocol]; serve != nil {
			if err := serve(number); err != nil {
				return err
			}
			continue
		}
		ports = append(ports, echo.Port{Number: uint16(n), Protocol: ir.Protocol(protocol)})
	}
	name, err := os.Hostname()
	if err != nil {
		return err
	}
	s, err := echo.Start(echo.Who{Workload: os.Getenv("WORKLOAD"), Pod: name, Account: os.Getenv("ACCOUNT")}, ports)
	if err != nil {
		return err
	}
	defer s.Close()
	return wait()
}

func wait() error {
	<-told()
	return nil
}

// told is closed when the program is told to end.
func told() <-chan struct{} {
	ctx, _ := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT) // for as long as it runs
	return ctx.Done()
}

// call prints the status and the body of each answer, a line each.
func call(urls []string) error {
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for _, url := range urls {
		resp, err := client.Get(url)
		if err != nil {
			fmt.Println("error:", err)
			continue
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			fmt.Println("error:", err)
			continue
		}
		fmt.Println(resp.StatusCode, strings.Join(strings.Fields(string(body)), " "))
	}
	return nil
}
