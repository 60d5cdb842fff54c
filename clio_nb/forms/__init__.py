"""The library's verbs as forms for notebooks: sign in, create an action, look into a launch.

Each form keeps its state in traits and only mirrors it in widgets. What its button does, ``submit()`` does too; what
came of it is in ``value``; the call that it stands for is in ``code``. No form knows HTTP or a rule of Clio's.
"""

from .action_form import ActionForm, Outcome
from .form import Form, Status
from .launch_form import LaunchForm
from .login_form import LoginForm

login = LoginForm
create_action = ActionForm
launch = LaunchForm

__all__ = ["ActionForm", "Form", "LaunchForm", "LoginForm", "Outcome", "Status", "create_action", "launch", "login"]
