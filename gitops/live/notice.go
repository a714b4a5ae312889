package live

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/meshc/meshc/compiler/syntax"
)

// object notes a policy object that came, became another or went.
func (l *Live) object(u *unstructured.Unstructured, gone bool) {
	name := syntax.Name{Kind: u.GetKind(), Namespace: u.GetNamespace(), Name: u.GetName()}
	if name.Kind == meshKind && name.Name != l.opts.Mesh {
		return
	}
	l.mu.Lock()
	if l.dirty.objects[name] = u; gone {
		l.dirty.objects[name] = nil
	}
	l.mu.Unlock()
	l.wake()
	if name.Kind == meshKind {
		select {
		case l.repull <- struct{}{}:
		default:
		}
	}
}

// touched notes a namespace in which something changed that runs.
func (l *Live) touched(ns string) {
	l.mu.Lock()
	if l.dirty.spaces[ns] = true; ns == "" {
		l.dirty.all = true
	}
	l.mu.Unlock()
	l.wake()
}

// form notes that the cluster remembers something else.
func (l *Live) form(u *unstructured.Unstructured, _ bool) {
	if u.GetLabels()[labelAccepted] == replicaKind {
		return
	}
	l.mu.Lock()
	l.dirty.memory = true
	l.mu.Unlock()
	l.wake()
}

func (l *Live) wake() {
	select {
	case l.changed <- struct{}{}:
	default:
	}
}

func (l *Live) tell() {
	select {
	case l.news <- struct{}{}:
	default:
	}
}
