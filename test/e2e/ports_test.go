//go:build e2e

package e2e

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/meshc/meshc/test/cluster/app/load"
)

// Each port of a service is granted by itself; what an account's pods were granted holds
// through each service that they are behind; and a pod behind no service is a client as
// any other.
func ports(t *testing.T) {
	fixture(t, "ports.yaml")
	kubectl(t, "", "-n", "shop", "wait", "--for=condition=Ready", "pod/auditor", "--timeout=3m")
	one, oneElse, two, three := get("8001, granted by route", "many.shop:8001", "/ok"), get("8001, another route", "many.shop:8001", "/no"), get("8002", "many.shop:8002", "/any"), get("8003", "many.shop:8003", "/any")
	raw, other, greets := tcp("7001", "many.shop:7001"), tcp("7002", "many.shop:7002"), first("3306, server first", "many.shop:3306")
	both := []load.Flow{get("an account's first service", "red.shop:80", "/ok"), get("its second service", "blue.shop:80", "/ok"), get("a service of both its pods", "colours.shop:80", "/ok")}
	askers := []asking{
		{"deploy/client", append(both, one, two, raw, greets), []load.Flow{oneElse, three, other, get("beyond the account's grant", "blue.shop:80", "/no")}},
		{"pod/auditor", []load.Flow{three, other}, append(both, one, two, raw, greets)},
		{"deploy/stranger", nil, append(both, one, two, three, raw, other, greets)},
	}
	arrive(t, askers)
	asks(t, false, askers, func(t *testing.T) {
		kubectl(t, "", "-n", "shop", "scale", "deployment", "many", "red", "--replicas=2")
		rolled(t, "shop", "many")
		rolled(t, "shop", "red")
		churn(t, "many")
		churn(t, "twin")
	})
	answers := inside(t, "", "shop", "deploy/client", "app", "ask", "60", "GET", "http://colours.shop:80/ok")
	if !strings.Contains(answers, "200 from shop/red") || !strings.Contains(answers, "200 from shop/blue") {
		t.Errorf("a service of two workloads leads to one of them alone:\n%s", answers)
	}
}

// A real database, whose server greets first, is used through transactions: by who was
// granted its port, and by nobody else.
func database(t *testing.T) {
	run(t, world.Root, filepath.Join("test", "cluster", "database"), filepath.Join(world.Root, ".cache", "cluster", "mariadb"), "load", world.Dir)
	fixture(t, "database.yaml")
	short := first("a connection for each transaction", "mariadb.shop:3306")
	askers := []asking{
		{"deploy/clerk", []load.Flow{short, burst(first("20 transactions on a connection", "mariadb.shop:3306"))}, nil},
		{"deploy/visitor", nil, []load.Flow{short}},
	}
	arrive(t, askers)
	asks(t, false, askers, func(t *testing.T) {
		churn(t, "mariadb")
		restartController(t)
	})
}
