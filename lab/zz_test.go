package lab

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"
	"strings"
	"strconv"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/source"
)

func TestZZ(t *testing.T) {
	tree, fs, err := source.Load(source.Options{Paths: []string{os.Getenv("ZZ")}})
	fmt.Println(fs, err)
	start := time.Now()
	l, err := Up(context.Background(), Options{Tree: tree, Progress: func(s string) { fmt.Println(time.Since(start), s) }})
	if r, ok := err.(*Refused); ok {
		for _, f := range r.Findings {
			fmt.Println(f.Code, f.At(), f.Message)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println("up", time.Since(start))
	defer l.Down()
	for _, tb := range l.Compiled().Tables {
		for _, c := range tb.Cases {
			r := ir.Request{}
			if c.From != "outside" {
				r.From, _ = ir.ParseIdentity("cluster.local", c.From)
			}
			if e, ok := strings.CutPrefix(c.To, "external:"); ok {
				r.External = e
			} else {
				var svc, port string
				svc, port, _ = strings.Cut(c.To, ":")
				n, _ := strconv.Atoi(port)
				a, b, _ := strings.Cut(svc, "/")
				r.To = ir.PortID{Service: ir.ServiceID{Namespace: a, Name: b}, Port: uint16(n)}
			}
			if c.HTTP != nil {
				r.HTTP = &ir.HTTPRequest{Method: c.HTTP.Method, Path: c.HTTP.Path}
				for _, h := range c.HTTP.Headers {
					r.HTTP.Headers = append(r.HTTP.Headers, ir.Header{Name: h.Name, Value: h.Regex})
				}
			}
			n := 1
			if c.Split != nil {
				n = 1000
			}
			st := time.Now()
			o, err := l.Request(r, n)
			if err != nil {
				fmt.Println("ERR", c.Name, err)
				continue
			}
			out, why := o.Outcome()
			fmt.Println(c.Name, "|", c.Expect, out, why, o.Statuses(), o.By(), o.Shares(), judge(c, o), time.Since(st))
			if out != ir.Outcome(c.Expect) {
				fmt.Printf("%+v\n%+v\n", o.Results[0], o.Seen[0])
			}
		}
	}
	for _, f := range l.Findings() {
		fmt.Println(f.Code, f.At(), f.Message)
	}
}
