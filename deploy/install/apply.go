package install

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/meshc/meshc/deploy/api"
)

// Options are how a plan is carried out.
type Options struct {
	// Tell is told each change as it happens; nil: nobody is.
	Tell func(Change)
	// Patience bounds each wait for the API server: for a definition to be served, or a
	// webhook to answer that judges a change. A minute if zero.
	Patience time.Duration
}

func (o Options) tell(c Change) {
	if o.Tell != nil {
		o.Tell(c)
	}
}

func (o Options) patience() time.Duration {
	if o.Patience == 0 {
		return time.Minute
	}
	return o.Patience
}

// Apply brings a cluster to the plan: what is missing is made, what differs is changed,
// and what an earlier plan made and this one has not is deleted. Done twice it changes
// nothing. What was made is in the inventory before it is made, so that an uninstall
// finds it also after an Apply that failed half-way.
func Apply(ctx context.Context, c *api.Client, p *Plan, before *Record, o Options) ([]Change, error) {
	a := &applying{client: c, plan: p, before: before, options: o}
	record, err := a.record(ctx)
	if err != nil {
		return a.changes, err
	}
	if err := a.put(ctx, p.Home); err != nil {
		return a.changes, err
	}
	union := *record
	if before != nil {
		for _, i := range before.Objects {
			if _, now := record.item(i.Ref); !now {
				union.Objects = append(union.Objects, i)
			}
		}
	}
	if err := union.write(ctx, c, p.Namespace); err != nil {
		return a.changes, fmt.Errorf("the inventory cannot be written: %w", err)
	}
	for _, d := range p.Definitions {
		if err := a.put(ctx, d); err != nil {
			return a.changes, err
		}
	}
	for _, d := range p.Definitions {
		if err := a.served(ctx, d); err != nil {
			return a.changes, err
		}
	}
	for _, obj := range p.Objects {
		if err := a.put(ctx, obj); err != nil {
			return a.changes, err
		}
	}
	if err := a.prune(ctx, record); err != nil {
		return a.changes, err
	}
	return a.changes, record.write(ctx, c, p.Namespace)
}

type applying struct {
	client  *api.Client
	plan    *Plan
	before  *Record
	options Options
	changes []Change
}

func (a *applying) note(c Change) {
	a.changes = append(a.changes, c)
	a.options.tell(c)
}

// record is what the cluster will hold of the plan.
func (a *applying) record(ctx context.Context) (*Record, error) {
	r := &Record{Version: a.plan.Version, Mesh: a.plan.Mesh, Values: a.plan.Said}
	for _, o := range a.plan.All() {
		item := Item{Ref: api.RefOf(o), Kept: kept(o)}
		if known, ok := a.before.item(item.Ref); ok {
			item.Found = known.Found
		} else if err := a.found(ctx, &item); err != nil {
			return nil, err
		}
		r.Objects = append(r.Objects, item)
	}
	return r, nil
}

// found marks an object that is there and that meshc did not make.
func (a *applying) found(ctx context.Context, i *Item) error {
	was, err := a.client.Get(ctx, i.Ref)
	if api.Gone(err) {
		return nil
	}
	i.Found = err == nil && api.Text(was, "metadata", "labels", partOf) != "meshc"
	return err
}

// put applies one object.
func (a *applying) put(ctx context.Context, o api.Object) error {
	ref := api.RefOf(o)
	was, err := a.client.Get(ctx, ref)
	if err != nil && !api.Gone(err) {
		return fmt.Errorf("%s: %w", ref, err)
	}
	var now api.Object
	err = until(ctx, a.options.patience(), func() error {
		now, err = a.client.Apply(ctx, o, false)
		return err
	}, func(err error) bool { return passing(err) && (!api.Gone(err) || groupOf(ref) == "meshc.dev") })
	if err != nil {
		return fmt.Errorf("%s: %w", ref, err)
	}
	what := Changed
	switch api.Text(was, "metadata", "resourceVersion") {
	case "":
		what = Created
	case api.Text(now, "metadata", "resourceVersion"):
		what = Unchanged
	}
	a.note(Change{What: what, Object: ref})
	return nil
}

// passing tells whether an error may be over soon: a kind that was defined a moment
// ago, a webhook whose server starts, an API server that is busy.
func passing(err error) bool {
	return api.Gone(err) || apierrors.IsInternalError(err) || apierrors.IsServiceUnavailable(err) || apierrors.IsServerTimeout(err) ||
		apierrors.IsTimeout(err) || apierrors.IsTooManyRequests(err) || apierrors.IsConflict(err)
}

// between two looks at what is waited for.
const between = 100 * time.Millisecond

// until tries until it succeeds, fails with an error that will not pass, or patience ends.
func until(ctx context.Context, patience time.Duration, try func() error, passing func(error) bool) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(between)
	defer tick.Stop()
	for {
		err := try()
		if err == nil || !passing(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}

// served waits until the API server serves a definition.
func (a *applying) served(ctx context.Context, definition api.Object) error {
	ref := api.RefOf(definition)
	err := until(ctx, a.options.patience(), func() error {
		o, err := a.client.Get(ctx, ref)
		if err != nil {
			return err
		}
		if c := condition(o, "NonStructuralSchema"); api.Text(c, "status") == "True" {
			return fmt.Errorf("its schema is refused: %s", api.Text(c, "message"))
		}
		if c := condition(o, "Established"); api.Text(c, "status") != "True" {
			return fmt.Errorf("the API server does not serve it yet: %s", api.Text(condition(o, "NamesAccepted"), "message"))
		}
		return nil
	}, func(error) bool { return true })
	if err != nil {
		return fmt.Errorf("%s: %w", ref, err)
	}
	return nil
}

// condition is one of an object's, nil where it has none of the type.
func condition(o api.Object, kind string) api.Object {
	for _, c := range api.List(o, "status", "conditions") {
		if api.Text(c, "type") == kind {
			return c
		}
	}
	return nil
}

// prune deletes what the last plan had and this one has not. What is policy stays.
func (a *applying) prune(ctx context.Context, now *Record) error {
	if a.before == nil {
		return nil
	}
	for _, i := range a.before.Objects {
		if _, still := now.item(i.Ref); still || i.Found || i.Kept {
			continue
		}
		did, err := a.client.Delete(ctx, i.Ref)
		if err != nil {
			return fmt.Errorf("%s: %w", i.Ref, err)
		}
		if did {
			a.note(Change{What: Deleted, Object: i.Ref})
		}
	}
	return nil
}
