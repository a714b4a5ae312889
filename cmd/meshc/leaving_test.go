package main

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// A replica that ended as soon as it was told to would refuse whom a service's address
// still leads to it: API servers would deny what is applied during a restart.
func TestLeavingReplicaServesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told, tell := context.WithCancel(t.Context())
		ctx := leaving(told, 10*time.Second)
		time.Sleep(time.Minute)
		tell()
		time.Sleep(9 * time.Second)
		if ctx.Err() != nil {
			t.Error("a replica that leaves serves no longer when its cluster may not know yet")
		}
		time.Sleep(2 * time.Second)
		if ctx.Err() == nil {
			t.Error("a replica that leaves never ends")
		}
	})
}
