package lab

import (
	"testing"

	"github.com/meshc/meshc/lab/caller"
)

// testKill: without its proxy a pod reaches nobody, and a new one serves it again.
func testKill(t *testing.T, l *Lab) {
	p, err := l.Topology().Find("shop/client")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.KillEnvoy(p); err != nil {
		t.Fatal(err)
	}
	if err := l.KillEnvoy(p); err == nil {
		t.Error("an Envoy that is dead was killed again")
	}
	if got := sendOne(t, l, "shop/client", caller.Request{Address: "web:80", Path: "/read/1"}); got.Error == "" {
		t.Errorf("a pod whose proxy is dead is answered: %+v", got)
	}
	if err := l.StartEnvoy(p); err != nil {
		t.Fatal(err)
	}
	if got := sendOne(t, l, "shop/client", caller.Request{Address: "web:80", Path: "/read/1"}); got.Status != 200 {
		t.Errorf("a pod with a new proxy is not served: %+v", got)
	}
}
