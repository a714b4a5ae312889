package upkeep

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	failure "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/meshc/meshc/admission/inject"
	"github.com/meshc/meshc/catalog/ca"
)

// AuthoritySecret holds what all replicas issue by, in the control plane's namespace.
const AuthoritySecret = "meshc-ca"

// shared keeps a state folder and the Secret the same.
type shared struct {
	keeper *Keeper
	dir    string
	issuer *ca.Authority

	mu      sync.Mutex
	version string // of the Secret that the folder was last made of, or that was made of it
}

// OpenAuthority opens the mesh's authority: that of the Secret, of which the state
// folder is a copy for when the API server is away. The first replica of a mesh makes
// it. No root is made beside one that is trusted already: where the Secret is gone or
// damaged, and there is no copy, that is an error. It waits for the API server as long
// as there is no copy and ctx lasts.
func (k *Keeper) OpenAuthority(ctx context.Context, stateDir string, opts ca.Options) (*ca.Authority, error) {
	s := &shared{keeper: k, dir: stateDir}
	for wait := firstRetry; ; wait = min(2*wait, lastRetry) {
		err := s.begin(ctx, opts)
		if err == nil {
			break
		}
		if !passing(err) {
			return nil, fmt.Errorf("the mesh's authority: %w", err)
		}
		k.degraded("authority", err)
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("the mesh's authority: %w", err)
		case <-time.After(wait):
		}
	}
	l := k.loop("authority", s.follow)
	secret, err := k.watch(secrets, k.opts.Namespace, AuthoritySecret, nil, func(*unstructured.Unstructured) { l.nudge() })
	if err != nil {
		return nil, err
	}
	l.work = func(ctx context.Context) (time.Duration, error) {
		if !secret.HasSynced() {
			return firstRetry, nil
		}
		again := lookAgain
		o := secret.one(k.opts.Namespace, AuthoritySecret)
		if o == nil {
			again = leadLook
		}
		return again, s.settle(ctx, o)
	}
	return s.issuer, nil
}

// follow is replaced before anything runs.
func (*shared) follow(context.Context) (time.Duration, error) { return 0, nil }

// passing tells errors that end by themselves.
func passing(err error) bool {
	if failure.IsForbidden(err) || failure.IsUnauthorized(err) || failure.IsInvalid(err) {
		return false
	}
	return !errors.Is(err, errDamaged) && !errors.Is(err, errStranger) && !errors.Is(err, errGone) && !errors.Is(err, errFolder)
}

var (
	errFolder   = errors.New("the state folder")
	errDamaged  = errors.New("the Secret " + AuthoritySecret + " is damaged")
	errStranger = errors.New("the Secret " + AuthoritySecret + " holds another authority than the one that proxies trust")
	errGone     = errors.New("the Secret " + AuthoritySecret + " is gone, and namespaces have the trust bundle of its root")
)

// begin finds the authority, or makes it where there never was one.
func (s *shared) begin(ctx context.Context, opts ca.Options) error {
	copied, err := ca.Kept(s.dir)
	if err != nil {
		copied = nil // damaged: the Secret is asked
	}
	secret, asked := s.keeper.get(ctx, secrets, s.keeper.opts.Namespace, AuthoritySecret)
	switch {
	case asked != nil && (copied == nil || !passing(asked)):
		return asked
	case asked != nil:
		s.keeper.degraded("authority", fmt.Errorf("it is that of the state folder, as the API server gives no answer: %w", asked))
	case secret != nil:
		if copied, err = s.begun(ctx, secret, copied); err != nil {
			return err
		}
	case copied == nil:
		if copied, err = s.first(ctx, opts); err != nil {
			return err
		}
	default:
		s.keeper.opts.Log.Warn("the Secret of the mesh's authority is gone; it is made again of the state folder", "secret", AuthoritySecret)
		if err := s.make(ctx, copied); err != nil {
			return err
		}
	}
	if err := copied.Place(s.dir); err != nil {
		return errors.Join(errFolder, err)
	}
	opts.Publish = s.publish
	if s.issuer, err = ca.Open(s.dir, opts); err != nil {
		return errors.Join(errFolder, err)
	}
	return nil
}

// begun takes the Secret's authority, or keeps the copy where the Secret's cannot be it.
func (s *shared) begun(ctx context.Context, secret *unstructured.Unstructured, copied ca.Files) (ca.Files, error) {
	files, err := s.judge(secret, nil)
	if err == nil && copied != nil {
		if d, broken := copied.Describe(s.dir); broken == nil && !files.Succeeds([]byte(d.Roots)) {
			err = errStranger
		}
	} else if err == nil {
		err = s.fits(ctx, files)
	}
	if err != nil && copied != nil {
		s.keeper.degraded("authority", fmt.Errorf("%w: it is that of the state folder", err))
		return copied, nil
	}
	if err == nil {
		s.seen(secret)
	}
	return files, err
}

// first makes the authority of a new mesh. Of replicas that begin together one does.
func (s *shared) first(ctx context.Context, opts ca.Options) (ca.Files, error) {
	if trusted, err := s.trusted(ctx); err != nil || len(trusted) > 0 {
		if err == nil {
			err = fmt.Errorf("%w: put the Secret back from a copy, or begin anew by deleting the ConfigMaps %s of all namespaces and starting their pods again", errGone, inject.TrustBundle)
		}
		return nil, err
	}
	// What is in the folder was never shared, so nobody trusts it yet: it may be taken.
	if _, err := ca.Open(s.dir, opts); err != nil {
		return nil, errors.Join(errFolder, err)
	}
	files, err := ca.Collect(s.dir, false)
	if err != nil {
		return nil, errors.Join(errFolder, err)
	}
	if err := s.make(ctx, files); err != nil {
		return nil, err // where another was faster its root is taken, at the next try
	}
	return files, nil
}

func (s *shared) make(ctx context.Context, files ca.Files) error {
	made, err := s.keeper.create(ctx, secrets, s.keeper.opts.Namespace, AuthoritySecret, map[string]any{"type": "Opaque", "data": encoded(pack(files), nil)})
	if err == nil {
		s.seen(made)
	}
	return err
}

// judge reads a Secret. With roots, it must lead on from one of them.
func (s *shared) judge(secret *unstructured.Unstructured, roots []byte) (ca.Files, error) {
	data, err := secretData(secret)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	files, err := unpack(data)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	if _, err := files.Describe(s.dir); err != nil {
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	if roots != nil && !files.Succeeds(roots) {
		return nil, fmt.Errorf("%w: put it back, or delete it and it is made again; to change the root, see `meshc ca rotate`", errStranger)
	}
	return files, nil
}

// fits holds files against what namespaces trust by.
func (s *shared) fits(ctx context.Context, files ca.Files) error {
	trusted, err := s.trusted(ctx)
	if err != nil || len(trusted) == 0 {
		return err
	}
	for _, roots := range trusted {
		if files.Succeeds(roots) {
			return nil
		}
	}
	return errStranger
}

// settle makes the folder what the Secret is, or makes the Secret again.
func (s *shared) settle(ctx context.Context, secret *unstructured.Unstructured) error {
	if secret == nil {
		if !s.keeper.opts.Leading() {
			return nil
		}
		files, err := ca.Collect(s.dir, false)
		if err != nil {
			return err
		}
		s.keeper.opts.Log.Warn("the Secret of the mesh's authority was deleted; it is made again", "secret", AuthoritySecret)
		return s.make(ctx, files)
	}
	s.mu.Lock()
	stale := !newer(secret, s.version)
	s.mu.Unlock()
	if stale {
		return nil
	}
	files, err := s.judge(secret, s.issuer.Roots())
	if err != nil {
		return err
	}
	// Nothing is published until the newer version is taken, see publish.
	if err := files.Place(s.dir); err != nil {
		return err
	}
	s.seen(secret)
	return nil
}

func (s *shared) seen(secret *unstructured.Unstructured) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version = secret.GetResourceVersion()
}

// publishTimeout bounds how long a step of a rotation may hold up what is issued.
const publishTimeout = 2 * time.Second

// publish writes what a rotation has come to. The folder is locked by its caller, so
// nothing is placed in it meanwhile.
func (s *shared) publish(files ca.Files) error {
	ctx, cancel := context.WithTimeout(context.Background(), publishTimeout)
	defer cancel()
	was, err := s.keeper.get(ctx, secrets, s.keeper.opts.Namespace, AuthoritySecret)
	if err != nil {
		return err
	}
	if was == nil {
		return errGone
	}
	s.mu.Lock()
	known := was.GetResourceVersion() == s.version
	s.mu.Unlock()
	if !known {
		return errConflict // what is there now comes first
	}
	data, err := secretData(was)
	if err != nil {
		return err
	}
	made, err := s.keeper.merge(ctx, secrets, was, map[string]any{"data": encoded(pack(files), data)})
	if err == nil {
		s.seen(made)
	}
	return err
}
