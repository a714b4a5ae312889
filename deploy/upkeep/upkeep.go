// Package upkeep is what a control plane keeps in its own cluster: the mesh's
// authority, alike in all replicas (Secret meshc-ca); the certificate of the webhooks
// and the caBundles that lead to it (Secret meshc-webhooks); and in every namespace of
// the mesh what proxies trust by (ConfigMap meshc-trust). All of it is made by whoever
// comes first, kept by the leader, and put back when somebody changes it. It knows
// neither policy nor what is served.
package upkeep

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
)

// Options of a Keeper. Config and Namespace are required.
type Options struct {
	Config    *rest.Config
	Namespace string // the control plane's own
	// Leading tells whether this replica is the one that changes what is there; nil: it is.
	// Whoever comes first makes what is missing.
	Leading func() bool
	// Degraded is told what is not as it must be, and with "" that it is again: authority,
	// webhooks, trust. nil: the log is.
	Degraded func(what, reason string)
	Log      *slog.Logger     // slog.Default()
	Now      func() time.Time // time.Now
}

// Keeper keeps. What is opened on it runs in Run.
type Keeper struct {
	opts   Options
	client dynamic.Interface
	// asks has a measure of its own: how often it is used is up to who calls webhooks.
	asks dynamic.Interface

	mu    sync.Mutex
	tasks []func(context.Context)
	loops []*loop
	wrong map[string]string
}

// New makes a keeper; it does not ask the cluster yet.
func New(opts Options) (*Keeper, error) {
	if opts.Log == nil {
		opts.Log = slog.Default()
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Leading == nil {
		opts.Leading = func() bool { return true }
	}
	config := rest.CopyConfig(opts.Config)
	config.UserAgent = "meshc"
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("upkeep: %w", err)
	}
	asks, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("upkeep: %w", err)
	}
	return &Keeper{opts: opts, client: client, asks: asks, wrong: map[string]string{}}, nil
}

// Run keeps all that was opened, until ctx ends.
func (k *Keeper) Run(ctx context.Context) {
	k.mu.Lock()
	var tasks []func(context.Context)
	tasks = append(tasks, k.tasks...)
	for _, l := range k.loops {
		tasks = append(tasks, l.run)
	}
	k.mu.Unlock()
	var all sync.WaitGroup
	for _, task := range tasks {
		all.Go(func() { task(ctx) })
	}
	all.Wait()
}

// degraded tells of a state that is not as it must be, once, and of its end.
func (k *Keeper) degraded(what string, err error) {
	reason := ""
	if err != nil {
		reason = err.Error()
	}
	k.mu.Lock()
	news := k.wrong[what] != reason
	k.wrong[what] = reason
	k.mu.Unlock()
	switch {
	case !news:
		return
	case reason == "":
		k.opts.Log.Info("as it must be again", "what", what)
	default:
		k.opts.Log.Warn("not as it must be", "what", what, "reason", reason)
	}
	if k.opts.Degraded != nil {
		k.opts.Degraded(what, reason)
	}
}

// Wrong is something that is not as it must be.
type Wrong struct{ What, Reason string }

// Wrong is all that is not as it must be now.
func (k *Keeper) Wrong() []Wrong {
	k.mu.Lock()
	defer k.mu.Unlock()
	var out []Wrong
	for _, what := range slices.Sorted(maps.Keys(k.wrong)) {
		if k.wrong[what] != "" {
			out = append(out, Wrong{what, k.wrong[what]})
		}
	}
	return out
}

// loop does one piece of work whenever something may have changed, one at a time.
type loop struct {
	keeper *Keeper
	what   string
	wake   chan struct{}
	// work says when to look again though nothing changes.
	work func(ctx context.Context) (again time.Duration, err error)
}

const (
	firstRetry = 200 * time.Millisecond
	lastRetry  = 30 * time.Second
	lookAgain  = 10 * time.Minute
	leadLook   = 2 * time.Second // who does not lead may by now
)

func (k *Keeper) loop(what string, work func(context.Context) (time.Duration, error)) *loop {
	l := &loop{keeper: k, what: what, wake: make(chan struct{}, 1), work: work}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.loops = append(k.loops, l)
	return l
}

// task is what runs beside the loops, as a watch does.
func (k *Keeper) task(run func(context.Context)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.tasks = append(k.tasks, run)
}

func (l *loop) nudge() {
	select {
	case l.wake <- struct{}{}:
	default: // it is to look already
	}
}

func (l *loop) run(ctx context.Context) {
	retry := firstRetry
	for {
		again, err := l.work(ctx)
		if ctx.Err() != nil {
			return
		}
		if errors.Is(err, errConflict) {
			err, again = nil, retry // somebody else was faster: look at what is there now
		}
		l.keeper.degraded(l.what, err)
		switch {
		case err != nil:
			again = retry
			retry = min(2*retry, lastRetry)
		default:
			retry = firstRetry
			if again <= 0 || again > lookAgain {
				again = lookAgain
			}
		}
		wait := time.NewTimer(again + rand.N(again/10+1)) // replicas do not come all at once
		select {
		case <-ctx.Done():
			wait.Stop()
			return
		case <-l.wake:
		case <-wait.C:
		}
		wait.Stop()
	}
}
