package server_test

import (
	"context"
	"net/http"
	"testing"
)

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	t.Cleanup(cancel)
	return ctx
}

// Moving a route from one cluster to another, new one and back, loses no request.
func TestMakeBeforeBreakOnEnvoy(t *testing.T) {
	for _, delta := range []bool{true, false} {
		t.Run(map[bool]string{true: "delta", false: "sotw"}[delta], func(t *testing.T) {
			t.Parallel()
			c := newControl(t)
			vip := map[bool]string{true: "127.0.81.1", false: "127.0.81.2"}[delta]
			all := []runs{
				{name: "shop/root", vip: vip}, {name: "shop/a", endpoints: []string{backend(t, "a")}}, {name: "shop/b", endpoints: []string{backend(t, "b")}},
			}
			snap := snapshot(all, "shop/buyer-0=shop/buyer")
			leads := func(to string) spec {
				return spec{services: []svc{{name: "shop/root", routes: []string{to}}, {name: to}}, calls: map[string][]string{"shop/buyer": {"shop/root"}}}
			}
			c.server.Set(leads("shop/a").build(t), snap)
			e := c.startEnvoy("shop/buyer", "shop/buyer-0", delta)
			must(t, c.server.WaitAcked(within(t), "shop/buyer-0"))
			url := "http://" + vip + ":18080/"
			eventually(t, "the first answer", func() error {
				_, err := http.Get(url)
				return err
			})
			l := hammer(url, 4, false)
			for range 5 {
				l.until("200 a", 100)
				c.server.Set(leads("shop/b").build(t), snap)
				must(t, c.server.WaitAcked(within(t), "shop/buyer-0"))
				l.until("200 b", 100)
				c.server.Set(leads("shop/a").build(t), snap)
				must(t, c.server.WaitAcked(within(t), "shop/buyer-0"))
			}
			counts := l.stop()
			lost := 0
			for answer, n := range counts {
				if answer != "200 a" && answer != "200 b" {
					lost += n
					t.Errorf("%d requests got %q", n, answer)
				}
			}
			t.Logf("%d requests to a, %d to b, %d lost", counts["200 a"], counts["200 b"], lost)
			if r := e.stats("cluster_manager.cds.update_rejected"); r["cluster_manager.cds.update_rejected"] != 0 {
				t.Errorf("Envoy refused clusters: %v", r)
			}
		})
	}
}
