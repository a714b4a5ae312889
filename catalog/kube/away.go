package kube

import (
	"context"
	"errors"
	"net/http"
	"time"

	failure "k8s.io/apimachinery/pkg/api/errors"
)

// lookAgain is how soon an API server that did not answer is asked again. Tokens may
// be let in for hours by what is known already, so nobody else need ask for it.
const lookAgain = 2 * time.Second

// degrade notes that the API server does not answer, for this reason, or with "" that
// it does. While it does not it is looked for.
func (t *Tokens) degrade(reason string) {
	t.mu.Lock()
	news := (t.away != nil) != (reason != "")
	switch {
	case news && reason != "":
		t.away = time.AfterFunc(lookAgain, t.look)
	case news:
		t.away.Stop()
		t.away = nil
	}
	t.mu.Unlock()
	if news && t.opts.Degraded != nil {
		t.opts.Degraded(reason)
	}
}

// look asks the API server for what it tells everybody.
func (t *Tokens) look() {
	ctx, cancel := context.WithTimeout(context.Background(), reviewTimeout)
	defer cancel()
	if err := t.client.Get().AbsPath("/readyz").Do(ctx).Error(); err == nil || answered(err) {
		t.degrade("")
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.away != nil {
		t.away.Reset(lookAgain)
	}
}

// answered tells whether an error is an answer: the API server is there, and says no.
func answered(err error) bool {
	var status failure.APIStatus
	return errors.As(err, &status) && status.Status().Code < http.StatusInternalServerError && status.Status().Code != http.StatusTooManyRequests
}
