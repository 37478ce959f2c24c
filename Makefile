# make up       the whole deployment on this machine: hosts, balancer, time server, AWS API
# make test     everything: lint, types, unit tests, templates, program, and the rehearsal of the deployment
# `make help` lists the rest. PORT= and NAME= choose another port, or a second deployment beside the first; CONFIG= sets
# configuration values of Pulumi.yaml: make up CONFIG="instanceType=t3.small cpuCredits=unlimited". HOST_CPUS=0.2 and
# HOST_MEMORY=1g make each host as slow as a t3.micro without CPU credits.

SHELL := /bin/bash
PYTHON := .venv/bin/python
# Docker may want root (a user outside of its group). The environment carries proxies and certificates along; no compiled
# file shall belong to root. Looked at when it is needed: the engine may have to be installed first.
ROOT = $(shell [ -w /var/run/docker.sock ] || [ -n "$$DOCKER_HOST" ] || [ "$$(id -u)" = 0 ] || \
	echo sudo -E env PYTHONDONTWRITEBYTECODE=1)
export NAME PORT HOST_CPUS HOST_MEMORY

# make drill NAME ...: what follows are names of drills, and nothing to make.
ifeq (drill,$(firstword $(MAKECMDGOALS)))
DRILLS := $(or $(wordlist 2,$(words $(MAKECMDGOALS)),$(MAKECMDGOALS)),$(NAME))
$(eval $(filter-out drill,$(DRILLS)):;@:)
endif

.DEFAULT_GOAL := help
.PHONY: help setup built up cloud down status test lint unit rehearsal drill drill-settings run image check-image package bench \
	bench-speed bench-healthcheck capacity diagram fuzz lock clean logs

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-17s %s\n", $$1, $$2}'

setup: ## install the Python packages, hash-checked, into .venv
	@scripts/setup.sh

up: setup ## deploy on this machine, or bring what is deployed up to date
	@scripts/engine.sh
	@scripts/image.sh
	@scripts/package.sh
	@$(ROOT) $(PYTHON) -m local up $(addprefix --config ,$(CONFIG))

cloud: setup ## the local cloud alone, for the pulumi CLI to deploy into (pulumi stack init local; pulumi up)
	@scripts/engine.sh
	@$(ROOT) $(PYTHON) -m local start

down: setup ## remove the deployment from this machine
	@scripts/engine.sh --installed; case $$? in \
	0) $(ROOT) $(PYTHON) -m local down ;; \
	3) echo "Nothing to do: no Docker engine is installed here." ;; \
	*) exit 1 ;; esac

status: setup ## show stacks, hosts (zone, release, health, clock error) and URL
	@$(ROOT) $(PYTHON) -m local status

logs: setup ## show the last words of each container of the local cloud
	@$(ROOT) $(PYTHON) -m local logs

image: setup ## build/image.tar.gz, which the hosts load
	@scripts/engine.sh
	@scripts/image.sh

check-image: setup ## the healthcheck as a container image, timeservice-healthcheck:VERSION, in the Docker engine
	@scripts/engine.sh
	@scripts/check-image.sh

package: setup ## build/healthcheck.zip, the Lambda function's package
	@scripts/package.sh

run: setup ## the service alone on http://127.0.0.1:8000 (or PORT=), without Docker
	@TIMESERVICE_WORKERS=1 TIMESERVICE_BIND=127.0.0.1:$(or $(PORT),8000) TIMESERVICE_TIME_SERVER=$${TIMESERVICE_TIME_SERVER:-time.aws.com} \
		$(PYTHON) -m gunicorn --config service/gunicorn.conf.py

test: lint unit rehearsal ## everything

lint: setup ## ruff, mypy, cfn-lint, shellcheck
	@scripts/lint.sh

# One more at a time than there are cores, as many tests wait for something.
unit: setup ## unit, template and program tests
	@scripts/tools.sh
	@$(PYTHON) -m pytest -q --numprocesses $$(($$(nproc) + 1)) --maxprocesses 5 --dist worksteal -m 'not rehearsal'

# An engine, and all that a deployment is made from; for those who deploy copies of this clone.
built: setup
	@scripts/engine.sh
	@scripts/stage.sh
	@scripts/image.sh
	@scripts/package.sh

rehearsal: built ## deploy, use, release, break and remove it, on this machine, beside what is up
	@$(ROOT) $(PYTHON) -m pytest -q -m rehearsal

drill: built ## break it in every way that it must survive, under load, beside what is up; make drill NAME: one way
	@$(ROOT) $(PYTHON) -m drills $(DRILLS)

drill-settings: built ## drill other values of the settings as well, to show what ours are for
	@$(ROOT) $(PYTHON) -m drills.settings

fuzz: setup ## try to break the parsers, the intervals and the verdicts, for EACH= seconds (20) each
	@scripts/fuzz.sh --seconds $(or $(EACH),20)

bench: setup ## time what a newcomer waits for, in a fresh clone of what is committed; then bench-speed
	@$(PYTHON) -m bench.deployment
	@echo
	@$(MAKE) --no-print-directory bench-speed

bench-speed: setup ## requests per second, beside Flask's development server and nginx (5 minutes)
	@scripts/engine.sh
	@scripts/image.sh
	@source scripts/common.sh; for tool in libluajit-5.1-2 wrk nginx; do [ -d build/debian/$$tool ] || { \
		command -v apt-get >/dev/null || die "wrk and nginx come from Debian packages: this needs a Debian machine"; \
		step "$$tool from Debian, to measure" unpack_deb $$tool; }; done
	@$(ROOT) $(PYTHON) -m bench.speed

bench-healthcheck: setup ## how well the healthcheck measures, over known paths, beside other methods (5 minutes)
	-@source scripts/common.sh; for tool in htpdate monitoring-plugins-basic prometheus-blackbox-exporter; do \
		[ -d build/debian/$$tool ] || step "$$tool from Debian, to compare with" unpack_deb $$tool; done
	@$(PYTHON) -m bench.healthcheck

capacity: setup ## what a rate of requests takes and costs; renews the tables of docs/capacity.md
	@$(PYTHON) -m bench.capacity --write

diagram: setup ## draw the deployment from the templates; renews docs/deployment.md
	@$(PYTHON) -m audit.diagram

lock: setup ## renew the locks from the *.in files
	@scripts/lock.sh

clean: ## remove what was built in this clone
	@rm -rf build .venv 2>/dev/null || sudo rm -rf build .venv # some of it may be root's
