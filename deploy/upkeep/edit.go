package upkeep

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/meshc/meshc/catalog/ca"
)

// edits is how often a change is tried that others come in between of.
const edits = 10

// ReadAuthority is what the Secret holds. The error is that there is none, that it is
// damaged, or that it cannot be asked for.
func (k *Keeper) ReadAuthority(ctx context.Context) (ca.Files, string, error) {
	secret, err := k.get(ctx, secrets, k.opts.Namespace, AuthoritySecret)
	if err != nil {
		return nil, "", err
	}
	if secret == nil {
		return nil, "", fmt.Errorf("there is no Secret %s in namespace %s", AuthoritySecret, k.opts.Namespace)
	}
	data, err := secretData(secret)
	if err != nil {
		return nil, "", fmt.Errorf("%w: %w", errDamaged, err)
	}
	files, err := unpack(data)
	if err != nil {
		return nil, "", fmt.Errorf("%w: %w", errDamaged, err)
	}
	return files, secret.GetResourceVersion(), nil
}

// EditAuthority changes the shared authority: edit is given a state folder that holds
// it, for as long as it runs, and what it makes of it all replicas take. Who reads only
// changes nothing. It is how `meshc ca` works on a cluster.
func (k *Keeper) EditAuthority(ctx context.Context, edit func(stateDir string) (ca.Description, error)) (ca.Description, error) {
	for try := 0; ; try++ {
		d, err := k.editOnce(ctx, edit)
		if !errors.Is(err, errConflict) || try == edits {
			return d, err
		}
	}
}

func (k *Keeper) editOnce(ctx context.Context, edit func(string) (ca.Description, error)) (ca.Description, error) {
	files, version, err := k.ReadAuthority(ctx)
	if err != nil {
		return ca.Description{}, err
	}
	dir, err := os.MkdirTemp("", "meshc-ca-*") // 0700
	if err != nil {
		return ca.Description{}, err
	}
	defer os.RemoveAll(dir)
	if err := files.Place(dir); err != nil {
		return ca.Description{}, err
	}
	d, err := edit(dir)
	if err != nil {
		return d, err
	}
	after, err := ca.Collect(dir, true)
	if err != nil || after.Equal(files) {
		return d, err
	}
	was, err := k.get(ctx, secrets, k.opts.Namespace, AuthoritySecret)
	if err != nil {
		return d, err
	}
	if was == nil || was.GetResourceVersion() != version {
		return d, errConflict
	}
	old, err := secretData(was)
	if err != nil {
		return d, err
	}
	_, err = k.merge(ctx, secrets, was, map[string]any{"data": encoded(pack(after), old)})
	return d, err
}
