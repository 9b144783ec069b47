"""Who may log in to the admin, and who has failed to: Django's own forms in the look of the rest."""

from axes.models import AccessAttempt, AccessAttemptExpiration, AccessFailureLog, AccessLog
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as PlainGroupAdmin
from django.contrib.auth.admin import UserAdmin as PlainUserAdmin
from django.contrib.auth.models import Group, User
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from market.admin_facts import FactAdmin, ModelAdmin

for attempts in (AccessAttempt, AccessAttemptExpiration, AccessFailureLog, AccessLog):
    if admin.site.is_registered(attempts):
        admin.site.unregister(attempts)  # the first comes back below, in the look of the rest

admin.site.unregister(User)
admin.site.unregister(Group)


@admin.register(User)
class UserAdmin(PlainUserAdmin, ModelAdmin):  # type: ignore[type-arg]  # generic for mypy only
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm


@admin.register(Group)
class GroupAdmin(PlainGroupAdmin, ModelAdmin):  # type: ignore[type-arg]  # generic for mypy only
    pass


@admin.register(AccessAttempt)
class FailedLoginAdmin(FactAdmin):
    """Addresses from which a login failed lately. Names and browsers are what a stranger typed, and are not shown."""

    list_display = ("attempt_time", "ip_address", "failures_since_start")
    search_fields = ("ip_address",)
    ordering = ("-attempt_time",)
    fields = ("attempt_time", "ip_address", "failures_since_start")
