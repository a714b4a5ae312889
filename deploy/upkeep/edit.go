package upkeep

import (
	"context"
	"errors"
	"fmt"
	"os"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/meshc/meshc/catalog/ca"
)

// edits is how often a change is tried that others come in between of.
const edits = 10

// readAuthority is what the Secret holds, and the Secret; both nil where there is none.
func (k *Keeper) readAuthority(ctx context.Context) (ca.Files, *unstructured.Unstructured, error) {
	secret, err := k.get(ctx, secrets, k.opts.Namespace, AuthoritySecret)
	if err != nil || secret == nil {
		return nil, nil, err
	}
	data, err := secretData(secret)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	files, err := unpack(data)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	return files, secret, nil
}

// EditAuthority changes the shared authority: edit is given a state folder that holds
// it, for as long as it runs, and what it makes of it all replicas take. Who reads only
// changes nothing. Where there is no Secret the folder is empty, and what is put there
// is what the control plane begins with. It is how `meshc ca` works on a cluster.
func (k *Keeper) EditAuthority(ctx context.Context, edit func(stateDir string) (ca.Description, error)) (ca.Description, error) {
	for try := 0; ; try++ {
		d, err := k.editOnce(ctx, edit)
		if !errors.Is(err, errConflict) || try == edits {
			return d, err
		}
	}
}

func (k *Keeper) editOnce(ctx context.Context, edit func(string) (ca.Description, error)) (ca.Description, error) {
	files, was, err := k.readAuthority(ctx)
	if err != nil {
		return ca.Description{}, err
	}
	dir, err := os.MkdirTemp("", "meshc-ca-*") // 0700
	if err != nil {
		return ca.Description{}, err
	}
	defer os.RemoveAll(dir)
	if was != nil {
		if err := files.Place(dir); err != nil {
			return ca.Description{}, err
		}
	}
	d, err := edit(dir)
	if err != nil {
		return d, err
	}
	after, err := ca.Collect(dir, true)
	if err != nil || after.Equal(files) {
		return d, err
	}
	if was == nil {
		_, err = k.create(ctx, secrets, k.opts.Namespace, AuthoritySecret, map[string]any{"type": "Opaque", "data": encoded(pack(after), nil)})
		return d, err
	}
	old, err := secretData(was)
	if err != nil {
		return d, err
	}
	_, err = k.merge(ctx, secrets, was, map[string]any{"data": encoded(pack(after), old)})
	return d, err
}
