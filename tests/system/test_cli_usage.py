# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands without a cluster: wrong input, help, manual, completion."""
import os
import re
import socket
import subprocess
import time
from pathlib import Path

import pytest

from harness import PREFIX

COMMANDS = ['omsub', 'omrun', 'omalloc', 'omq', 'omcancel', 'omhold',
            'omrelease', 'omrequeue', 'omnode', 'omhist', 'omctl']
SECTION = {'omnode': 8, 'omctl': 8}
PAGE = {'omrelease': 'omhold', 'omrequeue': 'omhold'}
# What makes each ask the controller.
ASKING = {'omsub': ['--wrap=true'], 'omrun': ['true'], 'omalloc': ['true'],
          'omq': [], 'omcancel': ['1'], 'omhold': ['1'], 'omrelease': ['1'],
          'omrequeue': ['1'], 'omnode': ['list'], 'omhist': [],
          'omctl': ['ping']}


@pytest.fixture(name='env', scope='module')
def fixture_env(tmp_path_factory):
    """A configuration whose controller is not there."""
    folder = tmp_path_factory.mktemp('cli')
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        port = s.getsockname()[1]
    conf = folder / 'openmosix.conf'
    conf.write_text(f'controller = "127.0.0.1:{port}"\n'
                    f'controller_user = "root"\n'
                    f'run_dir = "{folder}/run"\n')
    conf.chmod(0o644)
    env = {k: v for k, v in os.environ.items() if not k.startswith('OM_')}
    env.update(OM_CONF=str(conf), OM_TIMEOUT='0.2', LANG='C.UTF-8',
               PATH=f'{PREFIX}/bin:{PREFIX}/sbin:{env["PATH"]}')
    return env


@pytest.fixture(name='run')
def fixture_run(env, tmp_path):
    def run(*argv, stdin='', binary=None, **more):
        return subprocess.run([str(a) for a in argv], env={**env, **more},
                              cwd=tmp_path, capture_output=True, check=False,
                              timeout=30,
                              input=binary if binary is not None else
                              stdin.encode())
    return run


def err(result):
    return result.stderr.decode()


def options(help_text):
    return set(re.findall(r'^ +(?:-\w, )?(--[\w-]+)', help_text, re.M))


@pytest.mark.parametrize('command', COMMANDS)
def test_help_and_version_are_printed_on_standard_output(run, command):
    for word in ('--help', '-h'):
        result = run(command, word)
        assert result.returncode == 0 and not result.stderr
        text = result.stdout.decode()
        assert text.startswith(f'Usage: {command} ')
        assert all(len(line) < 80 for line in text.splitlines())
    result = run(command, '--version')
    assert result.returncode == 0
    assert re.match(rf'{command} \(openMosix\) \d', result.stdout.decode())


@pytest.mark.parametrize('command', COMMANDS)
def test_every_option_is_in_the_manual_and_the_completion(run, command):
    shown = options(run(command, '--help').stdout.decode())
    assert len(shown) > 4
    page, section = PAGE.get(command, command), SECTION.get(command, 1)
    text = (PREFIX / 'share' / 'man' / f'man{section}' /
            f'{page}.{section}').read_text().replace('\\-', '-')
    assert shown <= set(re.findall(r'--[\w-]+', text))
    listed = run(command, '--om-complete').stdout.decode()
    assert shown == {w.split()[0].rstrip('=') for w in listed.splitlines()
                     if w.startswith('--')}
    completion = PREFIX / 'share' / 'bash-completion' / 'completions' / command
    assert re.search(rf'^complete .*(\\\n.*)*\b{command}\b',
                     completion.read_text(), re.M)


@pytest.mark.parametrize('command', COMMANDS)
def test_unknown_option_is_a_usage_error(run, command):
    result = run(command, '--no-such-option-at-all')
    assert result.returncode == 2
    assert err(result).startswith(f'{command}: error: ')
    assert 'no-such-option-at-all' in err(result)
    assert not result.stdout
    near = run(command, '--versoin')
    assert near.returncode == 2 and 'did you mean --version?' in err(near)


@pytest.mark.parametrize('command', COMMANDS)
def test_controller_that_is_away_means_try_again(run, command):
    start = time.monotonic()
    result = run(command, *ASKING[command])
    assert result.returncode == 75, err(result)
    assert time.monotonic() - start < 5
    assert err(result).startswith(f'{command}: error: controller at 127.0.0.1:')
    assert 'Traceback' not in err(result) and not result.stdout


@pytest.mark.parametrize('command', COMMANDS)
def test_timeout_option_counts_more_than_its_variable(run, command):
    words = ASKING[command]
    result = run(command, '--timeout=0.1', *words, OM_TIMEOUT='1000')
    assert result.returncode == 75
    assert run(command, '--timeout=soon', *words).returncode == 2
    bad = run(command, *words, OM_TIMEOUT='soon')
    assert bad.returncode != 0 and 'OM_TIMEOUT=soon' in err(bad)


@pytest.mark.parametrize('command', COMMANDS)
def test_configuration_that_is_not_there_is_told(run, command, tmp_path):
    result = run(command, f'--config={tmp_path}/none.conf', *ASKING[command])
    assert result.returncode == 1, err(result)
    assert 'none.conf' in err(result)


@pytest.mark.parametrize('words, says', [
    (['omsub', '-n', '0', 'x.sh'], 'not a number from 1'),
    (['omsub', '--array=5-1', '--wrap=true'], '--array=5-1'),
    (['omsub', '--wrap=true', 'x.sh'], 'exclude each other'),
    (['omsub', '-N4', '-n2', '--wrap=true'], 'less than --nodes'),
    (['omsub', '--export=1A=b', '--wrap=true'], 'not the name of a variable'),
    (['omrun'], 'which command?'),
    (['omrun', '--daemons', 'true'], 'inside a job'),
    (['omrun', '--pty', '-n2', 'sh'], '--pty is for one task'),
    (['omrun', '--job=x', 'true'], 'not a job'),
    (['omalloc', '--no-shell', 'true'], 'exclude each other'),
    (['omq', '--format=job_id,nmae'], 'did you mean name?'),
    (['omq', '--state=runing'], 'did you mean running?'),
    (['omq', '--user=nobody-has-this-name'], 'there is no user'),
    (['omq', '12-'], 'not a job'),
    (['omq', '--why', 'x'], 'not a job'),
    (['omcancel'], 'which jobs?'),
    (['omcancel', '--batch', '1'], '--batch needs --signal'),
    (['omcancel', '--signal=NOTONE', '1'], 'not a signal'),
    (['omcancel', '1.x'], 'not a step'),
    (['omhold'], 'which jobs?'),
    (['omrelease', '1_'], 'not a job'),
    (['omrequeue'], 'which jobs?'),
    (['omnode', 'drian', 'n1'], 'did you mean drain?'),
    (['omnode', 'drain', 'n1'], 'needs a reason'),
    (['omnode', 'drain'], 'needs NODES'),
    (['omnode', 'set', 'n1'], 'set what?'),
    (['omnode', 'set', 'n1', 'speed'], 'not KEY=VALUE'),
    (['omnode', 'show', 'n[1-'], 'not a list of nodes'),
    (['omnode', 'show', 'n1', 'n2'], 'one word too many'),
    (['omhist', '--since=whenever'], 'not a point in time'),
    (['omhist', '--since=now', '--until=now-1day'], 'before --since'),
    (['omctl'], 'what is to be done?'),
    (['omctl', 'shwo'], 'did you mean show?'),
    (['omctl', 'set'], 'needs KEY=VALUE'),
    (['omctl', 'set', 'max_jobs'], 'not KEY=VALUE'),
    (['omctl', 'ping', 'pong'], 'too many words'),
])
def test_wrong_usage_is_told_and_exits_with_2(run, words, says):
    if 'x.sh' in words:
        run('sh', '-c', 'printf "#!/bin/sh\\ntrue\\n" > x.sh')
    result = run(*words)
    assert result.returncode == 2, err(result)
    assert says in err(result)
    assert err(result).startswith(f'{words[0]}: error: ')


@pytest.mark.parametrize('text, says', [
    (b'', 'is empty'),
    (b'\n \n', 'is empty'),
    (b'\x7fELF\0\0\0', 'binary'),
    (b'#!/bin/sh\r\ntrue\r\n', "sed -i 's/\\r$//'"),
    (b'echo hello\n', '#!/bin/sh'),
    (b'#!/bin/sh\n' + b'x' * (5 << 20), 'larger than a script may be'),
])
def test_what_is_no_script_is_refused(run, tmp_path, text, says):
    (tmp_path / 'job.sh').write_bytes(text)
    for result in (run('omsub', 'job.sh'), run('omsub', binary=text)):
        assert result.returncode == 1, err(result)
        assert says in err(result)


def test_message_does_not_steer_the_terminal(run):
    result = run('omsub', '/no\x1b]0;x\x07such')
    assert result.returncode == 1
    assert 'no?]0;x?such' in err(result)
    assert '\x1b' not in err(result)


def test_script_that_is_not_there_is_told_with_the_cure(run, tmp_path):
    result = run('omsub', 'nowhere.sh')
    assert result.returncode == 1 and '--wrap' in err(result)
    result = run('omsub', tmp_path)
    assert result.returncode == 1 and 'is a folder' in err(result)


@pytest.mark.parametrize('line, says', [
    ('#OM --ndoes=4', "job.sh: line 3: unknown option '--ndoes'"),
    ('#OM -n four', 'job.sh: line 3: -n four'),
    ('#OM --comment="open', 'a quote is not closed'),
    ('#OM stray', "'stray' is not an option"),
    ('#OM --help', 'unknown option'),
])
def test_wrong_directive_names_its_line(run, tmp_path, line, says):
    (tmp_path / 'job.sh').write_text(f'#!/bin/sh\n# comment\n{line}\ntrue\n')
    result = run('omsub', 'job.sh')
    assert result.returncode == 2, err(result)
    assert says in err(result)


def test_directives_after_the_first_command_do_not_count(run, tmp_path):
    (tmp_path / 'job.sh').write_text('#!/bin/sh\ntrue\n#OM --ndoes=4\n')
    assert run('omsub', 'job.sh').returncode == 75


def test_lines_of_slurm_are_pointed_at(run, tmp_path):
    (tmp_path / 'job.sh').write_text('#!/bin/sh\n#SBATCH -n 4\ntrue\n')
    result = run('omsub', 'job.sh')
    assert 'line 2' in err(result) and '#OM' in err(result)


def test_nothing_secret_or_long_is_needed_on_the_command_line(run):
    """A large environment goes by the message, not by arguments."""
    result = run('omsub', '--wrap=true', BIG='x' * 100000)
    assert result.returncode == 75


def test_doctor_finds_what_is_missing_and_names_the_cure(run):
    result = run('omctl', 'doctor')
    out = result.stdout.decode()
    assert result.returncode == 1
    faults = [line for line in out.splitlines() if line.startswith('fault')]
    assert any('controller' in line for line in faults)
    assert out.count('cure: ') >= len(faults)
    import json
    found = json.loads(run('omctl', 'doctor', '--json').stdout)['findings']
    assert {f['kind'] for f in found} <= {'ok', 'note', 'fault'}
    assert all(f['cure'] for f in found if f['kind'] == 'fault')


def test_output_that_cannot_be_written_is_a_failure(env):
    with open('/dev/full', 'wb') as full:
        result = subprocess.run(['omsub', '--help'], env=env, stdout=full,
                                stderr=subprocess.PIPE, check=False)
    assert result.returncode == 1
    assert b'No space left' in result.stderr


@pytest.mark.parametrize('words, expected', [
    (['omsub', '--migrate', '=', 'dr'], {'drain'}),
    (['omsub', '--cpus'], {'--cpus-per-task='}),
    (['omq', '-t', 'pen'], {'pending'}),
    (['omq', '--state', '=', 'running,comp'],
     {'running,completing', 'running,completed'}),
    (['omnode', 'und'], {'undrain'}),
    (['omctl', 'do'], {'doctor'}),
    (['omcancel', '-s', 'SIGUSR'], {'SIGUSR1', 'SIGUSR2'}),
    (['omhist', '--me'], {'--me'}),
])
def test_completion_offers_what_fits(env, words, expected):
    path = Path(PREFIX) / 'share/bash-completion/completions' / words[0]
    script = f'''
        compopt() {{ :; }}
        . {path}
        COMP_WORDS=({' '.join(f"'{w}'" for w in words)} )
        COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
        _openmosix "$1" "${{COMP_WORDS[COMP_CWORD]}}" \
            "${{COMP_WORDS[COMP_CWORD - 1]}}"
        printf '%s\\n' "${{COMPREPLY[@]}}"'''
    out = subprocess.run(['bash', '-c', script, 'bash', words[0]], env=env,
                         text=True, capture_output=True, check=True).stdout
    assert set(out.split()) == expected
